"""How much of the catalogue anybody is shown, and how sure a difference in that is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.judging.intervals import Interval

HALVES = 200
"""Halves of the people that the interval is taken from."""
DEVIATIONS = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""

Lists = npt.NDArray[np.int32]


def coverage(lists: Lists, n: int) -> float:
    """The share of `n` items that stand in any of `lists`, shape (q, k), catalogue rows, -1 behind the end of a shorter one; 0 of none."""
    shown = np.unique(lists)
    return float(np.count_nonzero(shown >= 0) / n) if n else 0.0


def coverage_difference(ours: Lists, theirs: Lists, n: int, rng: np.random.Generator) -> Interval:
    """Coverage of `ours` less that of `theirs`, both of shape (q, k) over the same q people and `n` items, with a 95 % interval.

    Resamples with people twice in them show fewer items than as many different people do, so that a bootstrap's interval need not hold
    the figure itself. Random halves of the people do not repeat anybody, and differ from all of them by as much as samples of so many
    do from each other (half-sampling, McCarthy 1969). Raises ValueError for lists of other people.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"not the same people: {len(ours)} and {len(theirs)}")
    mean = coverage(ours, n) - coverage(theirs, n)
    people = len(ours)
    if people < 2:
        return Interval(mean, mean, mean)
    halves = [rng.choice(people, people // 2, replace=False) for _ in range(HALVES)]
    differences = [coverage(ours[half], n) - coverage(theirs[half], n) for half in halves]
    margin = DEVIATIONS * float(np.std(differences))
    return Interval(mean, mean - margin, mean + margin)
