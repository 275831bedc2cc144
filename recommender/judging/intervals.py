"""Intervals: how sure a mean, or a difference of two means over the same people, is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2_000
DRAWS_AT_ONCE = 2**20
"""Bounds the memory of a bootstrap to some 16 MB."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: npt.NDArray[np.float64], rng: np.random.Generator) -> Interval:
    """Mean of `values`, shape (q,), q ≥ 1, with the percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Resamples whole people, 2,000 times. Raises ValueError for an empty or non-finite sample, which has no mean.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"a mean needs at least one finite value, got {len(values)} values")
    means = np.empty(RESAMPLES)
    step = max(1, DRAWS_AT_ONCE // len(values))
    for start in range(0, RESAMPLES, step):
        drawn = rng.integers(0, len(values), (min(step, RESAMPLES - start), len(values)))
        means[start : start + step] = values[drawn].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], rng: np.random.Generator) -> Interval:
    """Mean of `ours` − `theirs`, both of shape (q,) over the same people, with its paired bootstrap interval."""
    if ours.shape != theirs.shape:
        raise ValueError(f"not the same people: {ours.shape} and {theirs.shape}")
    return bootstrap_mean(ours - theirs, rng)
