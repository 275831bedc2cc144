"""Replay: held-out people's feeds, made by the serving engine itself, against what they then took up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.engine import Recommender
from recommender.errors import RecommenderError
from recommender.feeds import Query, SourceName
from recommender.judging.cuts import HeldOut
from recommender.judging.intervals import Interval, bootstrap_mean
from recommender.judging.metrics import ndcg, recall
from recommender.placements import Placement
from recommender.times import from_micros

DEPTH = 100
BATCH = 256

VARIANTS: Mapping[str, frozenset[SourceName] | None] = {
    "popularity": frozenset({SourceName.POPULAR}),
    "content": frozenset({SourceName.CONTENT}),
    "collaborative": frozenset({SourceName.COLLABORATIVE}),
    "item_item": frozenset({SourceName.ITEM_ITEM}),
    "blend": None,
}
"""What is judged: each source alone, and all of them blended as the placement says."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Figures of one variant over q people.

    `values`: by metric ("ndcg@10"), one value per person, shape (q,). `intervals`: their means with 95 % bootstrap intervals.
    `shown`: how many different items stood in the first ten of anybody's feed.
    """

    variant: str
    values: Mapping[str, npt.NDArray[np.float64]]
    intervals: Mapping[str, Interval]
    shown: int


def judge(
    recommender: Recommender,
    held_out: HeldOut,
    placement: Placement,
    *,
    variant: str = "blend",
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Judgement:
    """Rank the whole catalogue for every held-out person and compare with what they took up; no sampled negatives.

    `progress` is told how many people are done. Raises `RecommenderError` when nobody is held out or a source failed:
    a figure of half an engine would mislead.
    """
    if not len(held_out):
        raise RecommenderError("nobody took up anything new after the cut, so there is nothing to judge")
    hits = np.zeros((len(held_out), DEPTH), dtype=np.bool_)
    shown: set[int] = set()
    for start in range(0, len(held_out), BATCH):
        people = range(start, min(start + BATCH, len(held_out)))
        queries = [
            Query(
                placement,
                size=DEPTH,
                history=held_out.histories[person],
                consumed=held_out.consumed[person],
                dismissed=held_out.dismissed[person],
                sources=VARIANTS[variant],
            )
            for person in people
        ]
        for person, feed in zip(people, recommender.feeds(queries, now=from_micros(held_out.cut)), strict=True):
            if feed.degraded:
                raise RecommenderError(f"cannot judge: source {feed.degraded[0].what} {feed.degraded[0].why}")
            hits[person, : len(feed.numbers)] = np.isin(feed.numbers, held_out.targets[person])
            shown.update(feed.numbers[:10].tolist())
        progress(people.stop)
    relevant = np.array([len(targets) for targets in held_out.targets])
    values = {"ndcg@10": ndcg(hits, relevant, 10), "recall@10": recall(hits, relevant, 10), "recall@100": recall(hits, relevant, 100)}
    rng = np.random.default_rng(seed)
    return Judgement(variant, values, {name: bootstrap_mean(column, rng) for name, column in values.items()}, len(shown))
