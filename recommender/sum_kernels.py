"""Compiled loops over sums of weighted lists: added up, looked up, and the best or strongest of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.best import key_of, move_largest_ahead, place_of, rows_of
from recommender.compiling import compiled
from recommender.instructions import prefetch, single
from recommender.kernels import FREE, GOLDEN, Floats, Halves, Mask, Rows, prefetch_list

Table = npt.NDArray[np.int32]


@compiled
def _shift_of(size: int) -> np.uint32:
    """Bits that a number loses on its way to one of `size` places, a power of two."""
    shift = np.uint32(32)
    while size > 1:
        size >>= 1
        shift -= np.uint32(1)
    return shift


@compiled
def _slot_of(table: Table, shift: np.uint32, rows: Rows, row: np.int32) -> np.int64:
    """Where the place of a row among `rows` stands in a table, or would stand."""
    slot, last = np.int64(np.uint32(np.uint32(row) * GOLDEN) >> shift), len(table) - 1
    while table[slot] != FREE and rows[table[slot]] != row:
        slot = (slot + 1) & last
    return slot


@compiled
def sum_lists(
    offsets: Rows, columns: Rows, weights: Halves, rows: Rows, strengths: Floats, least: np.float32
) -> tuple[Rows, Floats, Table, bool]:
    """Sum up lists of weights in half precision: Σ strengths[a] · weights of row rows[a], of a CSR matrix; without strengths up to `least`
    times the largest.

    Returns the columns that came up, shape (c,), in the order in which they did, their sums, a table by which `looked_up` finds them, and
    whether every sum is a number below infinity.
    """
    total, least_strength = 0, np.float32(0)
    for place in range(len(rows)):
        prefetch(offsets, rows[place])
        least_strength = max(least_strength, least * abs(strengths[place]))
    for place in range(len(rows)):
        if not abs(strengths[place]) <= least_strength:
            total += offsets[rows[place] + 1] - offsets[rows[place]]
            prefetch_list(offsets, columns, weights, rows[place])
    size = 16
    # At the most two thirds full; a larger table would leave the cache.
    while size < 3 * total // 2:
        size *= 2
    table, shift = np.full(size, FREE, dtype=np.int32), _shift_of(size)
    found, sums = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.float32)
    count = 0
    for place in range(len(rows)):
        row, strength = rows[place], strengths[place]
        if abs(strength) <= least_strength:
            continue
        for at in range(offsets[row], offsets[row + 1]):
            column = columns[at]
            slot = _slot_of(table, shift, found, column)
            if table[slot] == FREE:
                table[slot] = count
                found[count], sums[count] = column, strength * single(weights[at])
                count += 1
            else:
                sums[table[slot]] += strength * single(weights[at])
    sound = True
    for place in range(count):
        sound &= bool(sums[place] < np.inf)
    return found[:count].copy(), sums[:count].copy(), table, sound


@compiled
def looked_up(columns: Rows, sums: Floats, table: Table, rows: Rows, otherwise: np.float32) -> Floats:
    """The sums of `rows`, shape (m,), among those of `columns`, shape (c,); `otherwise` for those that are not there or not above 0."""
    found, shift = np.empty(len(rows), dtype=np.float32), _shift_of(len(table))
    for at in range(len(rows)):
        place = table[_slot_of(table, shift, columns, rows[at])]
        found[at] = sums[place] if place != FREE and sums[place] > 0 else otherwise
    return found


@compiled
def best_sums(columns: Rows, sums: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` of different `columns`, shape (c,), with the highest `sums`, of those that are `allowed`, shape (n,), and above 0; ties
    go to the lower one. In no order."""
    keys, count = np.empty(len(columns), dtype=np.uint64), 0
    for place in range(len(columns)):
        # Written without a branch, which nobody could foretell.
        keys[count] = key_of(sums[place], columns[place])
        count += int((sums[place] > 0) & allowed[columns[place]])
    return rows_of(keys[:count], limit)


@compiled
def strongest_sums(columns: Rows, sums: Floats, of: Mask, limit: int) -> tuple[Rows, Floats]:
    """The `limit` of different `columns`, shape (c,), whose `sums` are farthest from 0, of those in `of`, shape (n,), in no order, and
    their sums; ties go to what stands first."""
    keys, count = np.empty(len(columns), dtype=np.uint64), 0
    for place in range(len(columns)):
        keys[count] = key_of(abs(sums[place]), place)
        count += int(of[columns[place]])
    if count > limit:
        move_largest_ahead(keys[:count], limit)
    kept = min(count, limit)
    chosen, strengths = np.empty(kept, dtype=np.int32), np.empty(kept, dtype=np.float32)
    for at in range(kept):
        own = place_of(keys[at])
        chosen[at], strengths[at] = columns[own], sums[own]
    return chosen, strengths
