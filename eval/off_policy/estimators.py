"""What a policy would have earned per decision, from the log of another one."""

from __future__ import annotations

import numpy as np

from eval.off_policy.logged import Floats, LoggedDecisions
from eval.off_policy.skewed_interval import ratio_interval
from recommender.errors import InvalidInput
from recommender.judging import Interval


def naive(log: LoggedDecisions) -> Interval:
    """The mean reward of the log: what the *logging* policy earned. For comparison only; it says nothing of the target policy."""
    return _interval(log, log.reward, np.ones(len(log)))


def ips(log: LoggedDecisions) -> Interval:
    """Inverse propensity scoring, (1/m) Σ w r: unbiased where the propensities are true (Horvitz and Thompson 1952)."""
    return _interval(log, log.weights * log.reward, np.ones(len(log)))


def snips(log: LoggedDecisions) -> Interval:
    """Self-normalised IPS, Σ w r / Σ w (Swaminathan and Joachims 2015).

    Never outside the range of the rewards, and exact where the reward is constant. Its bias is of order 1/m; its interval is that of
    the linearised ratio.
    """
    return _interval(log, log.weights * log.reward, log.weights)


def clipped(log: LoggedDecisions, limit: float) -> Interval:
    """IPS with weights cut to `limit` > 0, (1/m) Σ min(w, limit) r (Ionides 2008; Bottou et al. 2013, section 4).

    Less noise for a bias: with rewards ≥ 0 it falls short of the truth by E[(w − limit)⁺ r], for which `clipping_bias` gives
    an estimate and a bound. The interval is for what is left after clipping, hence misses the truth by that bias.
    Raises `InvalidInput` for a limit that is not above 0.
    """
    _check_limit(limit)
    return _interval(log, np.minimum(log.weights, limit) * log.reward, np.ones(len(log)))


def clipping_bias(log: LoggedDecisions, limit: float) -> tuple[float, float]:
    """How far clipping at `limit` shifts the estimate, as (estimated shift, largest shift in absolute value).

    The first, −mean((w − limit)⁺ r), is unbiased and as noisy as what clipping removes. The second is steadier:
    mean((w − limit)⁺) · max |r|, a share of the target's decisions times the most that each may bring.
    """
    _check_limit(limit)
    excess = np.maximum(log.weights - limit, 0)
    return -float((excess * log.reward).mean()), float(excess.mean() * np.abs(log.reward).max())


def doubly_robust(log: LoggedDecisions) -> Interval:
    """(1/m) Σ [v(x) + w (r − q(x, a))]: a reward model, and IPS of what it gets wrong (Dudík, Langford and Li 2011).

    Unbiased where either the propensities or the reward model are right. It gains on IPS where rewards can be foretold; of rare
    clicks even the true model explains next to nothing. Raises `InvalidInput` for a log without reward model.
    """
    if log.q_logged is None or log.q_target is None:
        raise InvalidInput("q_logged, q_target", None, "predictions of a reward model for every row")
    return _interval(log, log.q_target + log.weights * (log.reward - log.q_logged), np.ones(len(log)))


def all_estimates(log: LoggedDecisions, *, clip: float) -> dict[str, Interval]:
    """Every estimate that `log` allows, by name: naive, ips, snips, clipped and, with a reward model, doubly robust."""
    found = {"naive": naive(log), "ips": ips(log), "snips": snips(log), "clipped": clipped(log, clip)}
    return found | ({"dr": doubly_robust(log)} if log.q_logged is not None else {})


def _interval(log: LoggedDecisions, numerator: Floats, denominator: Floats) -> Interval:
    interval = ratio_interval(numerator, denominator, log.cluster)
    # No mean of rewards ≥ 0 lies below 0, so that nothing is lost by cutting there; NaN stays.
    if interval.low < 0 and log.reward.min() >= 0:
        return Interval(interval.mean, 0.0, interval.high)
    return interval


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise InvalidInput("clip", limit, "a weight above 0")
