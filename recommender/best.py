"""The best few of many scores, cut off in a way that does not depend on how they were sorted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]

_DIGIT = 11
"""Bits of a key that are looked at together: so many counts lie in the first cache."""


def best_places(scores: Floats, limit: int) -> npt.NDArray[np.int64]:
    """Places of the `limit` highest of `scores`, shape (m,), none of them NaN; all where m is not larger. In no order.

    Of equal scores at the cut the lower places are taken, so that ties break by item number where rows ascend.
    """
    if len(scores) <= limit:
        return np.arange(len(scores))
    return _highest(scores, limit)


def best_rows(scores: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` best rows by `scores`, shape (n,), of those that are `allowed` and above 0; ties go to the lower row. In no order."""
    return _best_rows(scores, allowed, limit)


@compiled
def key_of(score: np.float32, place: int) -> np.uint64:
    """A number that is the larger the higher the score, NaN aside, and of equal scores the lower the place, below 2³²."""
    bits = np.float32(score).view(np.uint32)
    up = ~bits if bits >> np.uint32(31) else bits | np.uint32(1 << 31)
    return (np.uint64(np.uint32(up)) << np.uint64(32)) | np.uint64(np.uint32(~np.uint32(place)))


@compiled
def place_of(key: np.uint64) -> np.int64:
    """The place of a key of `key_of`."""
    return np.int64(np.uint32(~np.uint32(key & np.uint64(0xFFFFFFFF))))


@compiled
def move_largest_ahead(keys: Keys, limit: int) -> None:
    """Bring the `limit` largest of different `keys`, which are more, to the front, in no order: a radix selection, high digits first."""
    counts = np.empty(1 << _DIGIT, dtype=np.int64)
    first, count, shift = 0, len(keys), 64 - _DIGIT
    while first < limit:
        counts[:] = 0
        for at in range(first, count):
            counts[(keys[at] >> np.uint64(shift)) & np.uint64((1 << _DIGIT) - 1)] += 1
        digit, above = (1 << _DIGIT) - 1, 0
        while first + above + counts[digit] < limit:
            above += counts[digit]
            digit -= 1
        ahead, equal, there = first, first + above, 0
        cut, end = np.uint64(digit), equal + counts[digit]
        kept = np.empty(counts[digit] + 1, dtype=np.uint64)
        # Those above the cut go to the front, those at it behind them; written without branches, which nobody could foretell.
        for at in range(first, count):
            key = keys[at]
            own = (key >> np.uint64(shift)) & np.uint64((1 << _DIGIT) - 1)
            keys[ahead], kept[there] = key, key
            ahead += int(own > cut)
            there += int(own == cut)
        keys[equal:end] = kept[:there]
        if end == limit:
            return
        first, count, shift = equal, end, max(shift - _DIGIT, 0)


@compiled
def _highest(scores: Floats, limit: int) -> npt.NDArray[np.int64]:
    keys = np.empty(len(scores), dtype=np.uint64)
    for place in range(len(scores)):
        keys[place] = key_of(scores[place], place)
    move_largest_ahead(keys, limit)
    places = np.empty(limit, dtype=np.int64)
    for at in range(limit):
        places[at] = place_of(keys[at])
    return places


@compiled
def rows_of(keys: Keys, limit: int) -> Rows:
    """The places of the `limit` largest of different `keys`, in no order; they are moved."""
    if len(keys) > limit:
        move_largest_ahead(keys, limit)
    rows = np.empty(min(len(keys), limit), dtype=np.int32)
    for at in range(len(rows)):
        rows[at] = place_of(keys[at])
    return rows


@compiled
def _best_rows(scores: Floats, allowed: Mask, limit: int) -> Rows:
    keys = np.empty(len(scores), dtype=np.uint64)
    count = 0
    for row in range(len(scores)):
        keys[count] = key_of(scores[row], row)
        count += int((scores[row] > 0) & allowed[row])
    return rows_of(keys[:count], limit)
