"""Intervals: how sure a mean, or a difference of two means over the same people, is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 2_000
DRAWS_AT_ONCE = 2**20
"""Bounds the memory of a bootstrap to some 32 MB."""
CONFIDENCE = 0.95

Values = npt.NDArray[np.float64]
People = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: Values, rng: np.random.Generator, *, people: People | None = None) -> Interval:
    """Mean of `values`, shape (q,), q ≥ 1, with the percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Resamples whole people, 2,000 times: `people`, shape (q,), says whose each value is where somebody has several (Field and
    Welsh, JRSS B 2007), since values of one person are alike and no more evidence than few. Raises ValueError for an empty or
    non-finite sample, which has no mean.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"a mean needs at least one finite value, got {len(values)} values")
    return _bootstrap(values[:, None], people, rng)[0]


def bootstrap_means(columns: Mapping[str, Values], rng: np.random.Generator, *, people: People | None = None) -> dict[str, Interval]:
    """Means of several `columns`, all of shape (q,) over the same `people`, each with its interval as `bootstrap_mean` has it.

    NaN stands for a place where a column has no value: its mean is over the others, and a column of nothing but NaN is left
    out. Columns without NaN share their resamples, which makes many of them as quick as one. Raises ValueError for infinite
    values.
    """
    whole = [name for name, values in columns.items() if len(values) and np.isfinite(values).all()]
    made: dict[str, Interval] = {}
    if whole:
        made.update(zip(whole, _bootstrap(np.column_stack([columns[name] for name in whole]), people, rng), strict=True))
    for name, values in columns.items():
        there = ~np.isnan(values)
        if name not in made and there.any():
            made[name] = bootstrap_mean(values[there], rng, people=None if people is None else people[there])
    return {name: made[name] for name in columns if name in made}


def paired_difference(ours: Values, theirs: Values, rng: np.random.Generator, *, people: People | None = None) -> Interval:
    """Mean of `ours` − `theirs`, both of shape (q,) over the same `people`, with its paired bootstrap interval."""
    if ours.shape != theirs.shape:
        raise ValueError(f"not the same people: {ours.shape} and {theirs.shape}")
    return bootstrap_mean(ours - theirs, rng, people=people)


def standard_error(values: Values, *, people: People | None = None) -> float:
    """Standard error of the mean of `values`, shape (q,), q ≥ 1, whole `people`, shape (q,), taken for drawn at random.

    That of a ratio estimate, the sum of values over their number, by its linear part (Cochran, Sampling Techniques, 1977, section
    6.4): of one value a person it is the usual one but for the factor n / (n − 1). Raises ValueError as `bootstrap_mean` does.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"a mean needs at least one finite value, got {len(values)} values")
    owner = np.arange(len(values)) if people is None else np.unique(people, return_inverse=True)[1]
    surplus = np.bincount(owner, weights=values - values.mean())
    return float(np.sqrt((surplus**2).sum()) / len(values))


def _bootstrap(values: Values, people: People | None, rng: np.random.Generator) -> list[Interval]:
    """Intervals of the columns of `values`, shape (q, m), finite, from the same resamples of its people."""
    m = values.shape[1]
    owner = np.arange(len(values)) if people is None else np.unique(people, return_inverse=True)[1]
    counts = np.bincount(owner)
    sums = np.zeros((len(counts), m))
    np.add.at(sums, owner, values)
    persons = len(counts)
    means = np.empty((RESAMPLES, m))
    step = max(1, DRAWS_AT_ONCE // persons)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = rng.integers(0, persons, (rows, persons))
        # How often each person was drawn is all that a mean asks of a resample, and serves every column.
        drawn += persons * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * persons).reshape(rows, persons).astype(np.float64)
        means[start : start + rows] = (times @ sums) / (times @ counts)[:, None]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    centre = values.mean(axis=0)
    return [Interval(float(centre[i]), float(low[i]), float(high[i])) for i in range(m)]
