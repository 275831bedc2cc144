"""A world whose right answer is known: contexts, a logging policy, another policy, and what every action brings in every context."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from eval.off_policy.logged import Floats, LoggedDecisions
from eval.off_policy.reward_model import Contexts, Integers, cross_fitted
from recommender.errors import InvalidInput

CODES = (3, 4, 6)
"""Values of each context code: three positions, and two properties of the person."""
ACTIONS = 80


@dataclass(frozen=True, eq=False)
class World:
    """Distinct contexts × actions, with all probabilities.

    `codes`, shape (c, f); `probability`, shape (c,), of each context; `logging` and `target`, shape (c, a): the policies, rows sum to
    1; `reward`, shape (c, a): the probability of a click.
    """

    codes: Integers
    probability: Floats
    logging: Floats
    target: Floats
    reward: Floats

    @property
    def truth(self) -> float:
        """The target policy's click rate, Σₓ p(x) Σₐ π(a|x) q(x, a), by enumeration."""
        return float(self.probability @ (self.target * self.reward).sum(axis=1))

    @property
    def logged_rate(self) -> float:
        """The logging policy's click rate."""
        return float(self.probability @ (self.logging * self.reward).sum(axis=1))

    def log(self, rows: int, rng: np.random.Generator) -> LoggedDecisions:
        """`rows` ≥ 5 decisions of the logging policy, with cross-fitted predictions of a reward model that is fitted on them alone."""
        within = np.cumsum(self.probability[:, None] * self.logging)
        cell = np.searchsorted(within, rng.random(rows) * within[-1], side="right")
        context, action = np.divmod(np.minimum(cell, within.size - 1), self.logging.shape[1])
        reward = (rng.random(rows) < self.reward[context, action]).astype(np.float64)
        q_logged, q_target = cross_fitted(Contexts(self.codes, context), action, reward, self.target, rng)
        return LoggedDecisions(reward, self.logging[context, action], self.target[context, action], q_logged, q_target)


def make_world(click_rate: float, rng: np.random.Generator) -> World:
    """A world in which the logging policy's click rate is `click_rate`, in (0, 1).

    72 contexts and 80 actions. Clicks follow a logistic model: effects of the action, of the position (falling), and of the action with
    each property of the person. The logging policy is a softmax of scores that know nothing of the clicks; the target policy is
    a softmax of half those scores and the logits of the clicks, hence clicked on about twice as often where clicks are rare.
    Raises `InvalidInput` for a rate outside (0, 1).
    """
    if not 0 < click_rate < 1:
        raise InvalidInput("click_rate", click_rate, "above 0 and below 1")
    codes = np.array(list(product(*(range(values) for values in CODES))), dtype=np.int64)
    shares = [np.full(CODES[0], 1 / CODES[0]), *(rng.dirichlet(np.full(values, 5.0)) for values in CODES[1:])]
    probability = np.prod([share[codes[:, feature]] for feature, share in enumerate(shares)], axis=0)
    liking = rng.normal(0, 0.7, ACTIONS) - 0.3 * codes[:, :1]
    score = np.tile(rng.normal(0, 1, ACTIONS), (len(codes), 1))
    for feature, values in enumerate(CODES[1:], start=1):
        liking = liking + rng.normal(0, 0.5, (values, ACTIONS))[codes[:, feature]]
        score = score + rng.normal(0, 0.4, (values, ACTIONS))[codes[:, feature]]
    logging, target = _softmax(score), _softmax(liking + score / 2)
    reward = _logistic(liking + _intercept(liking, probability[:, None] * logging, click_rate))
    return World(codes, probability, logging, target, reward)


def _softmax(score: Floats) -> Floats:
    raised = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)


def _intercept(logit: Floats, share: Floats, rate: float) -> float:
    """What to add to `logit` for a mean of `rate` under `share`, both (c, a), by bisection to 2⁻⁶⁰ of its range."""
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        if float((share * _logistic(logit + middle)).sum()) > rate:
            high = middle
        else:
            low = middle
    return (low + high) / 2
