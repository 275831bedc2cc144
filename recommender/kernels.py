"""Compiled loops that several sources share: what plain NumPy would do in several passes over memory, or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.instructions import prefetch, single

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

Halves = npt.NDArray[np.int16]

_LINE = 16
"""Numbers of four bytes that a processor fetches at once."""
FREE = np.int32(-1)
"""Stands in an empty place of a table."""
_GOLDEN = np.uint32(2_654_435_769)
"""2³² over the golden ratio: multiplied by it, numbers that follow each other land far apart (Knuth, TAOCP 3, 6.4)."""


@compiled
def prefetch_list(offsets: Rows, columns: Rows, weights: Halves, row: np.int32) -> None:
    """Have what row `row` of a CSR matrix holds brought into the nearest cache."""
    for at in range(offsets[row], offsets[row + 1], _LINE):
        prefetch(columns, at)
        prefetch(weights, at)


@compiled
def sum_lists(offsets: Rows, columns: Rows, weights: Halves, rows: Rows, strengths: Floats, least: np.float32) -> tuple[Rows, Floats, bool]:
    """Sum up lists of weights in half precision: Σ strengths[a] · weights of row rows[a], of a CSR matrix; without strengths up to `least`
    times the largest.

    Returns the columns that came up, shape (c,), in the order in which they did, their sums, and whether every one is a number below
    infinity.
    """
    total, least_strength = 0, np.float32(0)
    for place in range(len(rows)):
        prefetch(offsets, rows[place])
        least_strength = max(least_strength, least * abs(strengths[place]))
    for place in range(len(rows)):
        if not abs(strengths[place]) <= least_strength:
            total += offsets[rows[place] + 1] - offsets[rows[place]]
            prefetch_list(offsets, columns, weights, rows[place])
    bits = 4
    # At the most two thirds full; a larger table would leave the cache.
    while (1 << bits) < 3 * total // 2:
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys, places = np.full(1 << bits, FREE, dtype=np.int32), np.empty(1 << bits, dtype=np.int32)
    found, sums = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.float32)
    count = 0
    for place in range(len(rows)):
        row, strength = rows[place], strengths[place]
        if abs(strength) <= least_strength:
            continue
        for at in range(offsets[row], offsets[row + 1]):
            column = columns[at]
            slot = np.int64(np.uint32(np.uint32(column) * _GOLDEN) >> shift)
            while keys[slot] != column and keys[slot] != FREE:
                slot = (slot + 1) & last
            if keys[slot] == FREE:
                keys[slot], places[slot] = column, count
                found[count], sums[count] = column, strength * single(weights[at])
                count += 1
            else:
                sums[places[slot]] += strength * single(weights[at])
    sound = True
    for place in range(count):
        sound &= sums[place] < np.inf
    return found[:count].copy(), sums[:count].copy(), sound


@compiled
def looked_up(columns: Rows, sums: Floats, rows: Rows, otherwise: np.float32) -> Floats:
    """The sums of `rows`, all different, shape (m,), among those of `columns`, shape (c,); `otherwise` for those that are not there or not
    above 0. A table of the few that are asked for stays in the nearest cache, while the many that are there pass by."""
    bits = 4
    while (1 << bits) < 4 * len(rows):
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys, places = np.full(1 << bits, FREE, dtype=np.int32), np.empty(1 << bits, dtype=np.int32)
    for place in range(len(rows)):
        slot = np.int64(np.uint32(np.uint32(rows[place]) * _GOLDEN) >> shift)
        while keys[slot] != FREE:
            slot = (slot + 1) & last
        keys[slot], places[slot] = rows[place], place
    found = np.full(len(rows), otherwise, dtype=np.float32)
    for at in range(len(columns)):
        column = columns[at]
        slot = np.int64(np.uint32(np.uint32(column) * _GOLDEN) >> shift)
        while keys[slot] != column and keys[slot] != FREE:
            slot = (slot + 1) & last
        if keys[slot] == column and sums[at] > 0:
            found[places[slot]] = sums[at]
    return found


@compiled
def any_of(mask: Mask, rows: Rows) -> bool:
    """Whether the `mask`, shape (n,), is true at any of `rows`."""
    found = False
    for row in rows:
        found |= mask[row]
    return found


@compiled
def below_infinity(scores: Floats) -> bool:
    """Whether each of `scores`, shape (m,), is a number, or -inf for no opinion."""
    sound = True
    for place in range(len(scores)):
        sound &= scores[place] < np.inf
    return sound


@compiled
def above_zero(scores: Floats) -> Floats:
    """`scores`, shape (r,), with -inf for those that are 0 or less; what is no number stays, to be found out. In place."""
    for place in range(len(scores)):
        if scores[place] <= 0:
            scores[place] = -np.inf
    return scores
