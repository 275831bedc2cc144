"""How many times one mean is another over the same people, with a bootstrap interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.judging import Interval
from recommender.judging.intervals import CONFIDENCE, DRAWS_AT_ONCE, RESAMPLES

Values = npt.NDArray[np.float64]


def ratio_of_means(ours: Values, theirs: Values, rng: np.random.Generator, *, people: npt.NDArray[np.integer]) -> Interval:
    """Mean of `ours` / mean of `theirs`, both of shape (q,) over the same `people`, with the percentile interval of 2,000 resamples of
    whole people (Efron and Tibshirani 1993, chapter 13).

    Infinite where nothing of `theirs` is above 0, and 1 where nothing of `ours` is either. Raises ValueError for different people, nobody,
    and values below 0 or not finite.
    """
    if ours.shape != theirs.shape or ours.shape != people.shape:
        raise ValueError(f"not the same people: {ours.shape}, {theirs.shape} and {people.shape}")
    if not len(ours) or not all(np.isfinite(values).all() and (values >= 0).all() for values in (ours, theirs)):
        raise ValueError(f"a ratio needs at least one pair of finite values of 0 or more, got {len(ours)} pairs")
    persons, owner = np.unique(people, return_inverse=True)
    sums = np.zeros((len(persons), 2))
    np.add.at(sums, owner, np.column_stack([ours, theirs]))
    ratios = np.empty(RESAMPLES)
    step = max(1, DRAWS_AT_ONCE // len(persons))
    for start in range(0, RESAMPLES, step):
        drawn = rng.integers(0, len(persons), (min(step, RESAMPLES - start), len(persons)))
        above, below = sums[drawn].sum(axis=1).T
        ratios[start : start + len(drawn)] = _ratio(above, below)
    tail = (1 - CONFIDENCE) / 2
    # Of ratios that may be infinite only one that was seen can be an end, not what lies between two.
    low, high = np.quantile(ratios, [tail, 1 - tail], method="closest_observation")
    return Interval(float(_ratio(ours.sum(), theirs.sum())), float(low), float(high))


def _ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Values:
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    there = bottom > 0
    ratio: Values = np.where(there, top / np.where(there, bottom, 1), np.where(top > 0, np.inf, 1.0))
    return ratio
