"""Compiled loops of the hot path: what plain NumPy would do in several passes over memory, or not at all.

They are compiled by Numba on first use and kept on disk, beside the source or, where that cannot be written, in the user's cache.
None of them holds the interpreter's lock. Arrays are checked by whoever calls; here nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Rows = npt.NDArray[np.int32]
Slots = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., object])

FREE = np.int32(-1)
"""Stands in an empty place of a table."""
_GOLDEN = np.uint32(2_654_435_769)
"""2³² over the golden ratio: multiplied by it, numbers that follow each other land far apart (Knuth, TAOCP 3, 6.4)."""


def compiled(function: Function) -> Function:
    """`function`, compiled when it is first called, with the rounding of the processor as it is written: nothing is reordered."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def sum_lists(offsets: Offsets, columns: Rows, weights: Floats, rows: Rows, strengths: Floats) -> tuple[Rows, Floats, Slots]:
    """Sum up lists of weights: Σ strengths[a] · weights of row rows[a], of a CSR matrix.

    Returns an open-addressed table, `keys` (columns, `FREE` where empty) and `sums`, both of a size that is a power of two, and
    `slots`: where the columns stand in it, in the order in which they came up.
    """
    total = 0
    for row in rows:
        total += offsets[row + 1] - offsets[row]
    bits = 4
    while (1 << bits) < 2 * total:
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys = np.full(1 << bits, FREE, dtype=np.int32)
    sums = np.empty(1 << bits, dtype=np.float32)
    slots = np.empty(total, dtype=np.int32)
    count = 0
    for place in range(len(rows)):
        row, strength = rows[place], strengths[place]
        for at in range(offsets[row], offsets[row + 1]):
            column = columns[at]
            slot = np.int64(np.uint32(np.uint32(column) * _GOLDEN) >> shift)
            while keys[slot] != column and keys[slot] != FREE:
                slot = (slot + 1) & last
            if keys[slot] == FREE:
                keys[slot], sums[slot] = column, np.float32(0)
                slots[count] = slot
                count += 1
            sums[slot] += strength * weights[at]
    return keys, sums, slots[:count]


@compiled
def looked_up(keys: Rows, sums: Floats, rows: Rows) -> Floats:
    """The sums of `rows` in a table of `sum_lists`; 0 for those that are not in it."""
    bits, last = 0, len(keys) - 1
    while (1 << bits) < len(keys):
        bits += 1
    shift = np.uint32(32 - bits)
    found = np.zeros(len(rows), dtype=np.float32)
    for place in range(len(rows)):
        row = rows[place]
        slot = np.int64(np.uint32(np.uint32(row) * _GOLDEN) >> shift)
        while keys[slot] != row and keys[slot] != FREE:
            slot = (slot + 1) & last
        if keys[slot] == row:
            found[place] = sums[slot]
    return found


@compiled
def _keep(kept: Rows, values: Floats, count: int, row: np.int32, score: np.float32, allowed: Mask) -> int:
    """Put a row among the best, a heap of `count` rows with the worst on top, where it belongs there; returns how many they are then."""
    limit = len(kept)
    if count == limit:
        if limit == 0 or score < values[0] or (score == values[0] and row > kept[0]) or not allowed[row]:
            return count
        parent = 0
        while True:
            child = 2 * parent + 1
            if child >= count:
                break
            other = child + 1
            if other < count and (values[other] < values[child] or (values[other] == values[child] and kept[other] > kept[child])):
                child = other
            if score < values[child] or (score == values[child] and row > kept[child]):
                break
            kept[parent], values[parent] = kept[child], values[child]
            parent = child
        kept[parent], values[parent] = row, score
        return count
    if not score > 0 or not allowed[row]:
        return count
    child = count
    while child > 0:
        parent = (child - 1) // 2
        if values[parent] < score or (values[parent] == score and kept[parent] > row):
            break
        kept[child], values[child] = kept[parent], values[parent]
        child = parent
    kept[child], values[child] = row, score
    return count + 1


@compiled
def best_summed(keys: Rows, sums: Floats, slots: Slots, allowed: Mask, limit: int) -> Rows:
    """The `limit` best rows of a table of `sum_lists`, of those that are `allowed` and above 0; ties go to the lower row. In no order."""
    kept, values = np.empty(limit, dtype=np.int32), np.empty(limit, dtype=np.float32)
    count = 0
    for slot in slots:
        count = _keep(kept, values, count, keys[slot], sums[slot], allowed)
    return kept[:count]


@compiled
def best_rows(scores: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` best rows by `scores`, shape (n,), of those that are `allowed` and above 0; ties go to the lower row. In no order."""
    kept, values = np.empty(limit, dtype=np.int32), np.empty(limit, dtype=np.float32)
    count = 0
    for row in range(len(scores)):
        count = _keep(kept, values, count, np.int32(row), scores[row], allowed)
    return kept[:count]


@compiled
def table_of(rows: Rows) -> tuple[Rows, Slots, np.uint32]:
    """A table of different `rows`: `keys`, `FREE` where empty, and `places`, where each stands in `rows`."""
    bits = 3
    while (1 << bits) < 2 * len(rows):
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys, places = np.full(1 << bits, FREE, dtype=np.int32), np.zeros(1 << bits, dtype=np.int32)
    for place in range(len(rows)):
        slot = np.int64(np.uint32(np.uint32(rows[place]) * _GOLDEN) >> shift)
        while keys[slot] != FREE:
            slot = (slot + 1) & last
        keys[slot], places[slot] = rows[place], place
    return keys, places, shift


@compiled
def _add_entries(
    offsets: Offsets,
    columns: Rows,
    weights: Floats,
    row: np.int32,
    strength: np.float32,
    keys: Rows,
    places: Slots,
    shift: np.uint32,
    line: Floats,
) -> None:
    """Add strength · the weights of a row of a CSR matrix to `line`, at the places of the columns that are in a table."""
    last = len(keys) - 1
    for at in range(offsets[row], offsets[row + 1]):
        column = columns[at]
        slot = np.int64(np.uint32(np.uint32(column) * _GOLDEN) >> shift)
        while keys[slot] != column and keys[slot] != FREE:
            slot = (slot + 1) & last
        if keys[slot] == column:
            line[places[slot]] += strength * weights[at]


@compiled
def entries(offsets: Offsets, columns: Rows, weights: Floats, of: Rows, to: Rows) -> Floats:
    """What each row `of`, shape (h,), of a CSR matrix has in each column `to`, shape (r,), all different: shape (h, r)."""
    found = np.zeros((len(of), len(to)), dtype=np.float32)
    keys, places, shift = table_of(to)
    for place in range(len(of)):
        _add_entries(offsets, columns, weights, of[place], np.float32(1), keys, places, shift, found[place])
    return found


@compiled
def entries_of_product(
    offsets: Offsets,
    columns: Rows,
    weights: Floats,
    then_offsets: Offsets,
    then_columns: Rows,
    then_weights: Floats,
    of: Rows,
    to: Rows,
    own: np.float32,
) -> Floats:
    """The same of a product of two CSR matrices, the first one with `own` added on its diagonal."""
    found = np.zeros((len(of), len(to)), dtype=np.float32)
    keys, places, shift = table_of(to)
    for place in range(len(of)):
        row = of[place]
        _add_entries(then_offsets, then_columns, then_weights, row, own, keys, places, shift, found[place])
        for at in range(offsets[row], offsets[row + 1]):
            _add_entries(then_offsets, then_columns, then_weights, columns[at], weights[at], keys, places, shift, found[place])
    return found


@compiled
def affinities(offsets: Offsets, columns: Rows, weights: Floats, history: Rows, share: Floats, rows: Rows, size: int) -> Floats:
    """How much each of `rows` has in common with a history, shape (m,): products of its row of a CSR matrix of `size` columns with the
    sum of the history's rows by their `share`."""
    liked, found = np.zeros(size, dtype=np.float32), np.zeros(len(rows), dtype=np.float32)
    for place in range(len(history)):
        for at in range(offsets[history[place]], offsets[history[place] + 1]):
            liked[columns[at]] += share[place] * weights[at]
    for place in range(len(rows)):
        for at in range(offsets[rows[place]], offsets[rows[place] + 1]):
            found[place] += liked[columns[at]] * weights[at]
    return found


@compiled
def struck_trees(
    starts: Offsets,
    thresholds: Floats,
    missing_left: Mask,
    tree_of: Rows,
    struck: npt.NDArray[np.uint64],
    values: Floats,
    low_ones: npt.NDArray[np.uint8],
    x: Floats,
) -> Floats:
    """Sum over t trees for each row of `x`, shape (m, f): shape (m,).

    Questions stand by the column that they ask for, those of column c from starts[c] to before starts[c + 1], `thresholds` ascending:
    those that a value exceeds come first, and each strikes leaves off its tree. `values`: shape (t, l), of leaves from left to right;
    the first that remains is where a walk would end. `low_ones`: how many ones each byte has at its low end, shape (256,).
    """
    trees = len(values)
    scores = np.empty(len(x), dtype=np.float32)
    gone = np.empty(trees, dtype=np.uint64)
    for row in range(len(x)):
        gone[:] = 0
        for column in range(len(starts) - 1):
            asked = x[row, column]
            if np.isnan(asked):
                for at in range(starts[column], starts[column + 1]):
                    if not missing_left[at]:
                        gone[tree_of[at]] |= struck[at]
            else:
                for at in range(starts[column], starts[column + 1]):
                    if asked <= thresholds[at]:
                        break
                    gone[tree_of[at]] |= struck[at]
        score = 0.0
        for tree in range(trees):
            left, bits = 0, gone[tree]
            while bits & np.uint64(255) == np.uint64(255):
                left += 8
                bits >>= np.uint64(8)
            score += values[tree, left + low_ones[bits & np.uint64(255)]]
        scores[row] = score
    return scores
