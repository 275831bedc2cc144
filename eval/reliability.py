"""Whether the probabilities that a ranker serves are what then happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.evaluation import Evaluation
from indexing.blending.calibration import calibration_error
from recommender.judging import Interval, bootstrap_mean
from recommender.judging.replay import BLEND

BINS = 10


@dataclass(frozen=True)
class Bin:
    """`shown` items of like probability: the mean that was `predicted`, and the share that `happened`, resampled by people."""

    shown: int
    predicted: float
    happened: Interval


@dataclass(frozen=True)
class Reliability:
    """`error`: the expected calibration error. `bins`: of about as many items each, from the least probable to the most."""

    error: float
    shown: int
    bins: Sequence[Bin]


def reliability(evaluation: Evaluation) -> Reliability | None:
    """Of the items that the ranker put into anybody's first hundred: the probability that it served, and whether they were taken up.

    Of windows without a ranker nothing is looked at; None where there is none at all, or it ranked nothing. The people are held out:
    neither the sources nor the ranker nor its calibration were fitted to what they took up.
    """
    judged = evaluation.comparison.judgements[BLEND]
    ranked = np.array([window.ranked for window in evaluation.windows])[evaluation.window_of]
    served = np.isfinite(judged.scores) & (np.arange(judged.scores.shape[1]) < ranked[:, None])
    if not served.any():
        return None
    probabilities, taken = judged.scores[served].astype(np.float64), judged.hits[served]
    people = evaluation.comparison.held_out.people[np.nonzero(served)[0]]
    # The same bins as the error has: by order, and equal probabilities together.
    n = len(probabilities)
    place = np.searchsorted(np.sort(probabilities)[np.arange(1, BINS) * n // BINS], probabilities, side="right")
    bins = []
    for number in np.unique(place):
        inside = place == number
        rng = np.random.default_rng(evaluation.build.seed)
        happened = bootstrap_mean(taken[inside].astype(np.float64), rng, people=people[inside])
        bins.append(Bin(int(inside.sum()), float(probabilities[inside].mean()), happened))
    return Reliability(calibration_error(probabilities, taken, bins=BINS), n, bins)
