"""Compiled loops of the hot path: what plain NumPy would do in several passes over memory, or not at all.

They are compiled by Numba on first use and kept on disk, beside the source or, where that cannot be written, in the user's cache.
None of them holds the interpreter's lock. Arrays are checked by whoever calls; here nothing is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from recommender.prefetching import prefetch

Rows = npt.NDArray[np.int32]
Slots = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., object])

LINE, AHEAD = 16, 10
"""Numbers of four bytes that the processor fetches at once, and how many rows ahead they are asked for."""
FREE = np.int32(-1)
"""Stands in an empty place of a table."""
_GOLDEN = np.uint32(2_654_435_769)
"""2³² over the golden ratio: multiplied by it, numbers that follow each other land far apart (Knuth, TAOCP 3, 6.4)."""


def compiled(function: Function) -> Function:
    """`function`, compiled when it is first called, with the rounding of the processor as it is written: nothing is reordered."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def reordered(function: Function) -> Function:
    """The same, but that sums may be added up in whatever order the processor likes best, as in products of matrices: it is the same order
    every time, and a quarter of the time."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function))


@compiled
def _prefetch_list(offsets: Offsets, columns: Rows, weights: Floats, row: np.int32) -> None:
    for at in range(offsets[row], offsets[row + 1], LINE):
        prefetch(columns, at)
        prefetch(weights, at)


@compiled
def sum_lists(
    offsets: Offsets, columns: Rows, weights: Floats, rows: Rows, strengths: Floats, least: np.float32
) -> tuple[Rows, Floats, Rows, Slots, bool]:
    """Sum up lists of weights: Σ strengths[a] · weights of row rows[a], of a CSR matrix; without strengths up to `least` times the largest.

    Returns the columns that came up, shape (c,), in the order in which they did, and their sums; and an open-addressed table of them, of
    a size that is a power of two: `keys` (columns, `FREE` where empty), and `places`, where each stands among the columns. At last
    whether every sum is a number below infinity.
    """
    total, least_strength = 0, np.float32(0)
    for place in range(len(rows)):
        prefetch(offsets, rows[place])
        least_strength = max(least_strength, least * abs(strengths[place]))
    for place in range(len(rows)):
        if not abs(strengths[place]) <= least_strength:
            total += offsets[rows[place] + 1] - offsets[rows[place]]
            _prefetch_list(offsets, columns, weights, rows[place])
    bits = 4
    while (1 << bits) < 2 * total:
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
                found[count], sums[count] = column, strength * weights[at]
                count += 1
            else:
                sums[places[slot]] += strength * weights[at]
    sound = True
    for place in range(count):
        sound &= sums[place] < np.inf
    return found[:count], sums[:count], keys, places, sound


@compiled
def looked_up(keys: Rows, places: Slots, sums: Floats, rows: Rows, otherwise: np.float32) -> Floats:
    """The sums of `rows` in a table of `sum_lists`; `otherwise` for those that are not in it or not above 0."""
    bits, last = 0, len(keys) - 1
    while (1 << bits) < len(keys):
        bits += 1
    shift = np.uint32(32 - bits)
    found = np.full(len(rows), otherwise, dtype=np.float32)
    for place in range(len(rows)):
        row = rows[place]
        slot = np.int64(np.uint32(np.uint32(row) * _GOLDEN) >> shift)
        while keys[slot] != row and keys[slot] != FREE:
            slot = (slot + 1) & last
        if keys[slot] == row and sums[places[slot]] > 0:
            found[place] = sums[places[slot]]
    return found


@reordered
def dots(matrix: Floats, rows: Rows, vector: Floats) -> Floats:
    """Products of `rows`, shape (r,), of a `matrix`, shape (n, d), with a vector, shape (d,): shape (r,)."""
    found, flat, size = np.empty(len(rows), dtype=np.float32), matrix.reshape(-1), matrix.shape[1]
    for place in range(len(rows)):
        if place + AHEAD < len(rows):
            for at in range(0, size, LINE):
                prefetch(flat, np.int64(rows[place + AHEAD]) * size + at)
        line, product = matrix[rows[place]], np.float32(0)
        for column in range(len(vector)):
            product += line[column] * vector[column]
        found[place] = product
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


@compiled
def strongest_of_each(values: Floats, nameable: Mask, most: int) -> tuple[Rows, Rows, Floats]:
    """The `most` columns with the highest values above 0 in each row of `values`, shape (r, h), of those `nameable`, the same shape.

    Columns, shape (r, most), highest first, ties by column; how many of them there are, shape (r,); and the share of the first among
    all positive values of the row, shape (r,).
    """
    columns, counts = np.zeros((len(values), most), dtype=np.int32), np.zeros(len(values), dtype=np.int32)
    shares = np.zeros(len(values), dtype=np.float32)
    for row in range(len(values)):
        line, kept, count, total = values[row], columns[row], 0, np.float32(0)
        for column in range(len(line)):
            value = line[column]
            if not value > 0:
                continue
            total += value
            if not nameable[row, column] or (count == most and value <= line[kept[count - 1]]):
                continue
            place = count if count < most else most - 1
            while place > 0 and line[kept[place - 1]] < value:
                if place < most:
                    kept[place] = kept[place - 1]
                place -= 1
            kept[place] = column
            count = min(count + 1, most)
        counts[row] = count
        if count:
            shares[row] = line[kept[0]] / total
    return columns, counts, shares


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
        prefetch(offsets, of[place])
    for place in range(len(of)):
        _prefetch_list(offsets, columns, weights, of[place])
    for place in range(len(of)):
        _add_entries(offsets, columns, weights, of[place], np.float32(1), keys, places, shift, found[place])
    return found


@compiled
def normed(states: Floats, scale: Floats, shift: Floats, epsilon: np.float32) -> Floats:
    """Each of `states`, shape (m, d), at mean 0 and variance 1, times `scale` plus `shift`, both shape (d,): shape (m, d)."""
    made = np.empty_like(states)
    d = states.shape[1]
    for row in range(len(states)):
        mean = np.float32(0)
        for column in range(d):
            mean += states[row, column]
        mean /= np.float32(d)
        spread = np.float32(0)
        for column in range(d):
            apart = states[row, column] - mean
            spread += apart * apart
        root = np.float32(1) / np.sqrt(spread / np.float32(d) + epsilon)
        for column in range(d):
            made[row, column] = (states[row, column] - mean) * root * scale[column] + shift[column]
    return made


@compiled
def gelu(states: Floats) -> Floats:
    """Each number of `states`, any two dimensions, times the chance that a standard normal one is below it."""
    made = np.empty_like(states)
    for row in range(states.shape[0]):
        for column in range(states.shape[1]):
            value = states[row, column]
            made[row, column] = value * np.float32(0.5) * (np.float32(1) + np.float32(math.erf(value * np.float32(0.7071067811865476))))
    return made
