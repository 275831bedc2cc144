"""Near-duplicates: items that tell the very same, as several agencies do of one event."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.composing.stories import numbers_named
from recommender.generation.catalogue import Catalogue
from recommender.half_kernels import dot, widened_rows
from recommender.near_lists import near_lists
from recommender.profile import NearDuplicates
from recommender.times import MISSING_TIME
from recommender.vectors import VectorIndex

Halves = npt.NDArray[np.int16]
Rows = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LOOKED_AT = 20
"""Nearest items that each is compared with."""
_HOUR_US = 3_600_000_000


def stories(catalogue: Catalogue, vectors: VectorIndex, has_vector: Mask, settings: NearDuplicates, seed: int) -> Rows:
    """The story that each item tells, shape (n,), int32: the row of the first item that tells it; -1 for what nothing else tells.

    An item tells the story of an earlier one, which is the first of its own, where their vectors are at least so near as `settings` say,
    both were published within some time of each other, and their titles name the same numbers, unlike those of two episodes, years or
    sizes. So that stories do not run into each other, all are compared with their first one.
    """
    n = catalogue.n
    near = vectors.near[:, :LOOKED_AT] if vectors.near.shape[1] else near_lists(vectors.halves, has_vector, LOOKED_AT, seed)
    within = int(settings.within_hours * _HOUR_US) if settings.within_hours else np.iinfo(np.int64).max
    first = _firsts(
        vectors.halves,
        np.ascontiguousarray(near),
        np.float32(settings.likeness),
        digests_of_numbers(catalogue),
        np.ascontiguousarray(catalogue.published_at),
        MISSING_TIME,
        within,
    )
    told = np.bincount(first, minlength=n) if n else np.zeros(0, dtype=np.int64)
    return np.where(told[first] > 1, first, -1).astype(np.int32)


def digests_of_numbers(catalogue: Catalogue) -> npt.NDArray[np.int64]:
    """A digest of the numbers that each item's title names, in whatever order, shape (n,), int64; 0 for none."""
    titles = catalogue.table.column("title").to_pylist()
    return np.fromiter((_digest(numbers_named(title)) for title in titles), dtype=np.int64, count=catalogue.n)


def _digest(named: str) -> int:
    if not named:
        return 0
    return int.from_bytes(hashlib.blake2b(named.encode(), digest_size=8).digest(), "big", signed=True) or 1


@compiled
def _firsts(
    halves: Halves, near: Rows, least: np.float32, named: npt.NDArray[np.int64], published_at: Times, missing: int, within: int
) -> npt.NDArray[np.int64]:
    """The row of the first item that tells what each does, its own for what none before it tells, shape (n,)."""
    n = len(near)
    first = np.arange(n)
    for row in range(n):
        if near[row, 0] < 0:
            continue
        own = widened_rows(halves, np.array([row], dtype=np.int32))[0]
        for other in near[row]:
            if other < 0:
                break
            if other > row or first[other] != other:
                continue
            if dot(halves[other], own) < least:
                break
            apart = abs(published_at[row] - published_at[other])
            dated = published_at[row] != missing and published_at[other] != missing
            if named[row] == named[other] and not (dated and apart > within):
                first[row] = other
                break
    return first
