"""The cold-start curve: the same people and wishes, as if less had been known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.truncation import truncated
from indexing.progress import Reporter
from indexing.twin import sampled
from recommender.engine import Recommender
from recommender.judging import HeldOut, Interval, judge
from recommender.judging.comparison import LEADING
from recommender.judging.replay import BLEND
from recommender.placements import Placement

LENGTHS = (0, 1, 2, 3, 5, 10, 20)
"""Newest events of a history that are kept."""
FEWEST = 5
"""The curve goes as far as so many people have events."""
MOST = 1_000
"""Queries that are judged at each length at the most."""
POPULARITY = "popularity"


@dataclass(frozen=True)
class ColdStart:
    """The leading metric by variant, one interval for each of `lengths`, over the same `queries` of `people` people."""

    queries: int
    people: int
    lengths: Sequence[int]
    means: Mapping[str, Sequence[Interval]]


def cold_start(engine: Recommender, held_out: HeldOut, placement: Placement, best: str, report: Reporter, *, seed: int) -> ColdStart | None:
    """Judge the blend, the `best` single source and popularity with each history cut to its newest events.

    Everybody who is judged has as many events as the longest of `LENGTHS` that five people have, so that nothing but what is known
    differs along the curve. None where fewer people than that have any history.
    """
    known = np.array([len(history) for history in held_out.histories])
    reach = [length for length in LENGTHS if len(np.unique(held_out.people[known >= length])) >= FEWEST]
    if not reach or reach[-1] == 0:
        return None
    some = sampled(held_out.chosen(np.flatnonzero(known >= reach[-1])), MOST, seed=seed)
    variants = list(dict.fromkeys((BLEND, best, POPULARITY)))
    means: dict[str, list[Interval]] = {variant: [] for variant in variants}
    with report.stage("judge with less known") as advance:
        for place, length in enumerate(reach):
            of_length = truncated(some, length)
            for variant in variants:
                means[variant].append(judge(engine, of_length, placement, variant=variant, seed=seed).intervals[LEADING])
            advance(place + 1, len(reach))
    return ColdStart(len(some), len(np.unique(some.people)), reach, means)
