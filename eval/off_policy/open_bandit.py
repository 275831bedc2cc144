"""Two policies that both ran: each one's click rate estimated from the other's log, beside what its own log says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eval.datasets.bandit_log import BanditLog
from eval.off_policy.estimators import all_estimates, naive
from eval.off_policy.logged import Floats, LoggedDecisions
from eval.off_policy.reward_model import Contexts, contexts_of, cross_fitted
from eval.off_policy.weight_diagnostics import WeightDiagnostics, diagnose
from recommender.errors import InvalidInput
from recommender.judging import Interval


@dataclass(frozen=True)
class Direction:
    """The click rate of policy `judged`, estimated from the log of policy `logged`, by name of estimate.

    `on_policy`: the mean of the judged policy's own log, from other decisions, hence independent of the estimates.
    """

    logged: str
    judged: str
    estimates: Mapping[str, Interval]
    diagnostics: WeightDiagnostics
    on_policy: Interval


def estimate_open_bandit(random_log: BanditLog, other_log: BanditLog, *, clip: float = 10.0, seed: int = 0) -> tuple[Direction, Direction]:
    """Both directions: the other policy (BTS) from the random log, and the random policy from the other one's log.

    The random policy's probabilities are exact, 1/n_items. The other policy's are `average_policy` of its own log: an
    approximation, whose own error is not in the intervals. `seed` deals the rows to the parts of the cross-fitting.
    Raises `InvalidInput` where the logs are of different items.
    """
    if random_log.n_items != other_log.n_items:
        raise InvalidInput("n_items", (random_log.n_items, other_log.n_items), "the same items in both logs")
    positions = 1 + int(max(random_log.position.max(), other_log.position.max()))
    uniform = np.full((positions, random_log.n_items), 1 / random_log.n_items)
    rng = np.random.default_rng(seed)
    return (
        _direction("random", random_log, "bts", other_log, average_policy(other_log, positions), clip, rng),
        _direction("bts", other_log, "random", random_log, uniform, clip, rng),
    )


def average_policy(log: BanditLog, positions: int) -> Floats:
    """How often the policy of `log` chose each item at each position, shape (`positions`, n_items), rows sum to 1, all above 0.

    Frequencies, smoothed as if n_items further rows at each position had followed the item's frequency over all positions, which
    itself is smoothed by one row for each item. Frequencies, not the mean logged propensity of an item: a row is logged the more often
    the likelier it was, so that this mean is E[π²]/E[π], too large (it sums to 2–4 over the items). Thompson sampling without contexts
    depends on nothing but time, by what it has learnt so far: this is its average over the log, and is judged as if it
    were the policy throughout.
    """
    counts = np.bincount(log.position * log.n_items + log.item, minlength=positions * log.n_items)
    by_position = counts.reshape(positions, log.n_items).astype(np.float64)
    anywhere = (by_position.sum(axis=0) + 1) / (len(log) + log.n_items)
    raised = by_position + log.n_items * anywhere
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def decisions(log: BanditLog, target: Floats, rng: np.random.Generator) -> LoggedDecisions:
    """`log` under a target policy of shape (positions, n_items), with a cross-fitted reward model over position and context codes."""
    contexts: Contexts = contexts_of(np.column_stack([log.position, log.context]))
    reward = log.click.astype(np.float64)
    q_logged, q_target = cross_fitted(contexts, log.item, reward, target[contexts.codes[:, 0]], rng)
    return LoggedDecisions(reward, log.propensity, target[log.position, log.item], q_logged, q_target)


def _direction(
    logged: str, log: BanditLog, judged: str, own: BanditLog, target: Floats, clip: float, rng: np.random.Generator
) -> Direction:
    found = decisions(log, target, rng)
    clicks = own.click.astype(np.float64)
    on_policy = naive(LoggedDecisions(clicks, own.propensity, own.propensity))
    return Direction(logged, judged, all_estimates(found, clip=clip), diagnose(found), on_policy)
