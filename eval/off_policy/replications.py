"""Whether estimates and intervals keep what they promise: many logs of one world, and how often the truth was met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from eval.off_policy.estimators import all_estimates
from eval.off_policy.simulation import World
from recommender.errors import InvalidInput
from recommender.judging import Interval
from recommender.judging.intervals import CONFIDENCE


@dataclass(frozen=True)
class Performance:
    """One estimator over many logs. `bias`, `rmse` and `width` (mean width of the interval) are shares of the true value.

    `coverage`: the share of intervals that hold the truth, and the 95 % interval of that share. An interval that could not be
    given counts as a miss and not for the width.
    """

    bias: float
    rmse: float
    width: float
    coverage: Interval


def replications(
    world: World, *, n: int = 500, rows: int = 10_000, clip: float = 10.0, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> dict[str, Performance]:
    """Draw `n` ≥ 1 logs of `rows` ≥ 5 decisions each and judge every estimate against the world's truth, by name of estimate.

    `progress(done, n)` is called after each log. Raises `InvalidInput` for counts below those bounds.
    """
    if n < 1:
        raise InvalidInput("replications", n, "at least 1")
    if rows < 5:
        raise InvalidInput("rows", rows, "at least 5, one for each part of the cross-fitting")
    found: dict[str, list[Interval]] = {}
    for number in range(n):
        # Each log has a stream of its own, apart from that of the world, which callers draw from the plain seed.
        log = world.log(rows, np.random.default_rng([seed, number + 1]))
        for name, interval in all_estimates(log, clip=clip).items():
            found.setdefault(name, []).append(interval)
        if progress is not None:
            progress(number + 1, n)
    return {name: performance(intervals, world.truth) for name, intervals in found.items()}


def performance(intervals: list[Interval], truth: float) -> Performance:
    """How `intervals`, one of each log, did against `truth` > 0."""
    mean, low, high = (np.array(ends) for ends in zip(*((i.mean, i.low, i.high) for i in intervals), strict=True))
    given = ~np.isnan(low)
    return Performance(
        bias=float(mean.mean() / truth - 1),
        rmse=float(np.sqrt(((mean - truth) ** 2).mean()) / truth),
        width=float((high - low)[given].mean() / truth) if given.any() else float("nan"),
        coverage=share_interval(int(((low <= truth) & (truth <= high)).sum()), len(intervals)),
    )


def share_interval(hits: int, trials: int) -> Interval:
    """`hits` of `trials` ≥ 1 as a share, with its exact 95 % binomial interval (Clopper and Pearson 1934)."""
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return Interval(hits / trials, low, high)
