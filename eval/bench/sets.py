"""A set with its protocol, and the protocols: what of it is learnt from and what is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.bench.measures import Measure
from eval.datasets.dataset import Dataset
from recommender.errors import InvalidInput
from recommender.judging import cut_at_share
from recommender.judging.cold import cold_items, draw_cold_items
from recommender.judging.cuts import Split, given, leave_last_out, rolling, together
from recommender.profile import EventWeights

ROLLING_SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Rolling windows end at these shares of the events in order of time."""
MOMENTS = (0.25, 0.5, 0.75)
"""Shares of what a person did in a window that lie before each moment at which the person asks."""
COLD_SHARE = 0.2
COLD_FEWEST = 5
"""Items that are made cold have so many people at least, so that there is something to find."""
COLD_SEED = 2_026


@dataclass(frozen=True, eq=False)
class Benchmark:
    """One set with its protocol; it can be pickled, since each set is measured in a process of its own.

    `read`: reads it from `folder`. `splits`: what is learnt from and judged on, one or more; None where the set is judged impression by
    impression. `protocol` and `source` say in words what was done, and what is published where. `by_genre`: ranking cold items by the
    popularity of their genres is a rival. `people`: whom the set has where it was published on. `aliases`: other names that it goes by.
    """

    name: str
    folder: Path
    read: Callable[[], Dataset]
    splits: Callable[[Dataset], list[Split]] | None
    measures: tuple[Measure, ...]
    protocol: str
    source: str = ""
    by_genre: bool = False
    people: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def leading(self) -> str:
        """The metric by which sources are compared: NDCG where it is measured, else the first."""
        return next((m.metric for m in self.measures if m.metric.startswith("ndcg") and self.splits), self.measures[0].metric)


def as_given(dataset: Dataset) -> list[Split]:
    """Both parts as their publishers fixed them."""
    assert dataset.test is not None
    return [given(dataset.events, dataset.test, candidates=dataset.candidates)]


def last_out(dataset: Dataset) -> list[Split]:
    """Everybody's last item."""
    split = leave_last_out(dataset.events)
    # Times stand for places only, so that no query has a "now" of its own.
    return [replace(split, held_out=replace(split.held_out, moments=None))]


def windows(dataset: Dataset) -> list[Split]:
    """Four windows of a tenth of the events each, in which everybody asks at `MOMENTS`, as people go on while a generation serves.

    Raises `InvalidInput` where times are too few to tell them apart.
    """
    ends = [cut_at_share(dataset.events, share) for share in ROLLING_SHARES[:-1]]
    cuts = [*ends, int(dataset.events.at.max(initial=0)) + 1]
    try:
        by_moment = [rolling(dataset.events, EventWeights(), cuts=cuts, reveal=reveal) for reveal in MOMENTS]
        return [replace(same[0], held_out=together([split.held_out for split in same])) for same in zip(*by_moment, strict=True)]
    except InvalidInput as error:
        raise InvalidInput(dataset.name, str(error), "ratings at so many times that four windows can be told apart") from error


def made_cold(dataset: Dataset) -> list[Split]:
    """A fifth of the items that have people enough, as if nobody had seen them yet."""
    rng = np.random.default_rng(COLD_SEED)
    return [cold_items(dataset.events, draw_cold_items(dataset.events, COLD_SHARE, rng, fewest=COLD_FEWEST))]
