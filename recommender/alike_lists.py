"""What is like each item, as the engine itself found it when a generation was built.

What is like one item depends on nothing but the generation, so that an answer needs no more than its list, less what may not be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.cores import cores
from recommender.events import EventType
from recommender.feeds import NAMED, Feed, Query, ReasonKind, Reasons, SourceName
from recommender.people import HISTORY_DTYPE, History
from recommender.placements import Placement
from recommender.ranking.pool import Pool

Rows = npt.NDArray[np.int32]
Halves = npt.NDArray[np.float16]
Names = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

KEPT = 48
"""Items on a list: a page of thirty, and some for what may not be shown."""
CANDIDATES = 100
"""Candidates of each source, at the most, when what is like given items is looked for: nothing puts them in another order afterwards, and
what leads the list is not what some source has so far behind."""
AT_ONCE = 500
"""Items whose lists a core makes at a time."""


class AlikeLists(NamedTuple):
    """Of each of n items the up to k that are most like it, best first: all of shape (n, k), or (n, 0) for no lists at all.

    `rows`: -1 behind the last. `scores`: those of the engine, in half precision. `sources`: the `SourceName` that added most to each.
    """

    rows: Rows
    scores: Halves
    sources: Names

    @classmethod
    def none(cls, n: int) -> AlikeLists:
        """No lists of n items."""
        return cls(np.zeros((n, 0), dtype=np.int32), np.zeros((n, 0), dtype=np.float16), np.zeros((n, 0), dtype=np.uint8))

    @classmethod
    def of(cls, n: int, pool_of: Callable[[int, Mask], Pool], stories: Rows, progress: Callable[[int, int], None]) -> AlikeLists:
        """The lists of n items, on all cores; none where a source is left out of a pool.

        `pool_of`: what is like the item of a row, of what may be on its list, shape (n,). Of what tells the very same, by its `stories`,
        shape (n,) or (0,), -1 for what does not, the best alone is on a list, and none that tells what the item itself does. `progress` is
        told how many are done, and n.
        """
        shape = n, KEPT
        lists = cls(np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.float16), np.zeros(shape, dtype=np.uint8))

        def work(part: range) -> bool:
            allowed = np.ones(n, dtype=np.bool_)
            for row in part:
                allowed[row] = False
                pool = pool_of(row, allowed)
                allowed[row] = True
                if pool.left_out:
                    return False
                lists.put(row, pool, stories)
            return True

        parts = [range(start, min(start + AT_ONCE, n)) for start in range(0, n, AT_ONCE)]
        with ThreadPoolExecutor(cores()) as threads:
            for part, whole in zip(parts, threads.map(work, parts), strict=True):
                if not whole:
                    threads.shutdown(cancel_futures=True)
                    return cls.none(n)
                progress(part.stop, n)
        return lists

    @property
    def there(self) -> bool:
        """Whether there are any."""
        return bool(self.rows.shape[1])

    def put(self, row: int, pool: Pool, stories: Rows) -> None:
        """Make what leads a `pool` the list of the item at `row`; see `of`."""
        order = pool.order
        if len(stories):
            told = stories[pool.rows[order]]
            _, first = np.unique(told, return_index=True)
            kept = (told < 0) | np.isin(np.arange(len(order)), first)
            order = order[kept & ((told != stories[row]) | (told < 0))]
        best = order[: self.rows.shape[1]]
        self.rows[row, : len(best)], self.scores[row, : len(best)] = pool.rows[best], pool.totals[best]
        self.sources[row, : len(best)] = pool.added[best].argmax(axis=1) + 1

    def found(self, row: int, allowed: Mask, size: int) -> Alike | None:
        """The first `size` on the list of the item at `row` of what is `allowed`, shape (n or more,); None where the list is too short."""
        places, enough = _left(self.rows[row], allowed, size)
        return Alike(self.rows[row, places], self.scores[row, places].astype(np.float32), self.sources[row, places]) if enough else None


class Alike(NamedTuple):
    """r items that are like one, best first, each of shape (r,): `rows`, `scores`, and the `sources` that added most to each."""

    rows: Rows
    scores: npt.NDArray[np.float32]
    sources: Names

    def feed(self, query: Query, numbers: npt.NDArray[np.uint32], eligible: int) -> Feed:
        """The answer to a `query` for them, by their `numbers`, shape (r,). All of a score is laid to the source that added most."""
        r, s = len(self.rows), len(SourceName)
        added = np.zeros((r, s), dtype=np.float32)
        added[np.arange(r), self.sources - 1] = self.scores
        return Feed(
            numbers=numbers,
            scores=self.scores,
            sources=self.sources,
            contributions=added,
            source_ranks=np.zeros((r, s), dtype=np.int32),
            probabilities=np.ones(r, dtype=np.float32),
            reasons=_alike(self.sources[: query.reasons], int(query.history["item"][0])),
            eligible=eligible,
            retrieval_mode="lists",
            marks=np.zeros(r, dtype=np.uint8),
        )


def looking(placement: Placement) -> Placement:
    """The settings by which what is like given items is looked for: what is not like them does not stand in for it, as a short list is the
    better answer."""
    return placement.model_copy(update={"fallback": "none", "candidates": min(placement.candidates, CANDIDATES)})


def seeds(liked: Sequence[int], disliked: Sequence[int] = (), *, at: int) -> History:
    """Given items by number as a history, those to be unlike as its oldest part and the first given one as its newest; all `at`, µs."""
    made = np.zeros(len(liked) + len(disliked), dtype=HISTORY_DTYPE)
    made["item"] = [*reversed(disliked), *reversed(liked)]
    made["type"] = [EventType.DISLIKE] * len(disliked) + [EventType.LIKE] * len(liked)
    made["value"] = np.nan
    made["at"] = at
    return made


def asks_for_a_list(query: Query, sources: frozenset[SourceName]) -> bool:
    """Whether a query is for what is like one item by all of `sources` and a learned blend, as lists are made."""
    return (
        query.seeds_are_items
        and len(query.history) == 1
        and query.sources == sources
        and query.candidates is None
        and query.placement.blend == "learned"
        and query.placement.fallback == "none"
        and not query.placement.score_floor
        and query.placement.variety.near_duplicates == "collapse"
        and query.placement.candidates == CANDIDATES
        and bool(query.history["type"][0] == EventType.LIKE)
    )


def _alike(sources: Names, seed: int) -> Reasons:
    r = len(sources)
    because = np.full((r, NAMED), -1, dtype=np.int64)
    because[:, 0] = seed
    kinds = np.full(r, ReasonKind.SIMILAR_TO_SEED, dtype=np.uint8)
    return Reasons(kinds, sources, np.zeros(r, dtype=np.uint8), because, np.ones(r, dtype=np.float32))


@compiled
def _left(rows: Rows, allowed: Mask, size: int) -> tuple[npt.NDArray[np.int64], bool]:
    """Places of the first `size` of `rows` that are `allowed`, and whether they are all that there can be: so many, or all on a list that
    ends before its room does."""
    places, count, filled = np.empty(min(size, len(rows)), dtype=np.int64), 0, 0
    while filled < len(rows) and rows[filled] >= 0 and count < size:
        if allowed[rows[filled]]:
            places[count] = filled
            count += 1
        filled += 1
    return places[:count], count == size or (filled < len(rows) and count == filled)
