"""How much of a log its weights leave to judge by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.off_policy.logged import Floats, LoggedDecisions

HEAVY = 10.0
"""A row that counts for more than this many is counted as heavy."""


@dataclass(frozen=True)
class WeightDiagnostics:
    """Signs of trouble; all are of the importance weights w = target probability / propensity.

    `effective`: Kish's effective sample size, in rows. `effective_rewards`: the same of the terms w·r, in rows that earned
    anything; below some 10 no interval is to be trusted far. `largest`: the largest weight. `heavy`: share of rows with a weight above
    `HEAVY`. `mean`: mean weight, 1 in expectation; far from 1 (more than `mean_error` · 3, one standard error each) the propensities
    or target probabilities are wrong.
    """

    rows: int
    effective: float
    effective_rewards: float
    largest: float
    heavy: float
    mean: float
    mean_error: float


def effective_sample_size(weights: Floats) -> float:
    """(Σw)² / Σw² (Kish 1965): how many rows of equal weight are as good as these; 0 where all weights, shape (m,), are 0."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def diagnose(log: LoggedDecisions) -> WeightDiagnostics:
    """The diagnostics of `log`."""
    weights = log.weights
    return WeightDiagnostics(
        rows=len(log),
        effective=effective_sample_size(weights),
        effective_rewards=effective_sample_size(weights * np.abs(log.reward)),
        largest=float(weights.max()),
        heavy=float((weights > HEAVY).mean()),
        mean=float(weights.mean()),
        mean_error=float(weights.std() / np.sqrt(len(log))),
    )
