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


def reordered(function: Function) -> Function:
    """The same, but that sums may be added up in whatever order the processor likes best, as in products of matrices: it is the same order
    every time, and a quarter of the time."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function))


@compiled
def standing_events(rows: Rows, weights: Floats, at: npt.NDArray[np.int64]) -> tuple[Rows, Floats, Floats]:
    """The event at which each item of a history stands, from h events in order of time: their places, ascending, weights and steps back.

    Events of row below 0 or weight 0 do not count. An item stands at its newest event, with the largest weight that any of its events has
    unless the newest one's is negative. Steps back are how many different later times there are among what stands, float32.
    """
    places, strongest = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.float32)
    count = 0
    for place in range(len(rows) - 1, -1, -1):
        if rows[place] < 0 or weights[place] == 0:
            continue
        newer = 0
        while newer < count and rows[places[newer]] != rows[place]:
            newer += 1
        if newer == count:
            places[count], strongest[count] = place, weights[place]
            count += 1
        elif weights[places[newer]] >= 0 and weights[place] > strongest[newer]:
            strongest[newer] = weights[place]
    back = np.empty(count, dtype=np.float32)
    step = np.float32(0)
    for newer in range(count):
        if newer and at[places[newer]] != at[places[newer - 1]]:
            step += np.float32(1)
        back[newer] = step
    return places[:count][::-1].copy(), strongest[:count][::-1].copy(), back[::-1].copy()


@compiled
def opinions(scores: Floats, scale: np.float32, strengths: Floats) -> npt.NDArray[np.uint64]:
    """Write scores, shape (m,), over `scale` into `strengths`, 0 for -inf; and a key for each other one: the higher its score and then
    the lower its place, the smaller."""
    bits = scores.view(np.uint32)
    keys = np.empty(len(scores), dtype=np.uint64)
    count = 0
    for place in range(len(scores)):
        if scores[place] > -np.inf:
            strengths[place] = scores[place] / scale
            up = ~bits[place] if bits[place] >> np.uint32(31) else bits[place] | np.uint32(1 << 31)
            keys[count] = (np.uint64(np.uint32(~up)) << np.uint64(32)) | np.uint64(place)
            count += 1
        else:
            strengths[place] = 0
    return keys[:count]


@compiled
def ranks_of(keys: npt.NDArray[np.uint64], ranks: Rows) -> None:
    """Write 1-based ranks from sorted keys of `opinions` into `ranks`, shape (m,); the places of the others stay as they are."""
    for rank in range(len(keys)):
        ranks[np.int64(keys[rank] & np.uint64(0xFFFFFFFF))] = rank + 1


@compiled
def sum_lists(offsets: Offsets, columns: Rows, weights: Floats, rows: Rows, strengths: Floats) -> tuple[Rows, Floats, Rows, Slots]:
    """Sum up lists of weights: Σ strengths[a] · weights of row rows[a], of a CSR matrix.

    Returns the columns that came up, shape (c,), in the order in which they did, and their sums; and an open-addressed table of them, of
    a size that is a power of two: `keys` (columns, `FREE` where empty), and `places`, where each stands among the columns.
    """
    total = 0
    for row in rows:
        total += offsets[row + 1] - offsets[row]
    bits = 4
    while (1 << bits) < 2 * total:
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys, places = np.full(1 << bits, FREE, dtype=np.int32), np.empty(1 << bits, dtype=np.int32)
    found, sums = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.float32)
    count = 0
    for place in range(len(rows)):
        row, strength = rows[place], strengths[place]
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
    return found[:count], sums[:count], keys, places


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


@compiled
def passing(rows: Rows, scores: Floats, allowed: Mask) -> tuple[Rows, Floats]:
    """Those of `rows`, shape (c,), that are `allowed`, shape (n,), and whose `scores` are above 0, in their order, and their scores."""
    kept, values = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.float32)
    count = 0
    for place in range(len(rows)):
        # Written without a branch, which nobody could foretell.
        kept[count], values[count] = rows[place], scores[place]
        count += int((scores[place] > 0) & allowed[rows[place]])
    return kept[:count], values[:count]


@compiled
def passing_of_all(scores: Floats, allowed: Mask) -> tuple[Rows, Floats]:
    """The same of all n rows, with `scores` of shape (n,)."""
    kept, values = np.empty(len(scores), dtype=np.int32), np.empty(len(scores), dtype=np.float32)
    count = 0
    for row in range(len(scores)):
        kept[count], values[count] = row, scores[row]
        count += int((scores[row] > 0) & allowed[row])
    return kept[:count], values[:count]


@reordered
def dots(matrix: Floats, rows: Rows, vector: Floats) -> Floats:
    """Products of `rows`, shape (r,), of a `matrix`, shape (n, d), with a vector, shape (d,): shape (r,)."""
    found = np.empty(len(rows), dtype=np.float32)
    for place in range(len(rows)):
        line, product = matrix[rows[place]], np.float32(0)
        for column in range(len(vector)):
            product += line[column] * vector[column]
        found[place] = product
    return found


@compiled
def led(likeness: Floats, least: np.float32, most: int) -> Rows:
    """The group of each of h things, from their likeness to each other, shape (h, h), the last one first: shape (h,), int32.

    One joins the group whose leader it is most like, if at least so much or where there are `most` groups already, or leads a new one.
    """
    groups, leaders = np.zeros(len(likeness), dtype=np.int32), np.empty(most, dtype=np.int32)
    count = 0
    for place in range(len(likeness) - 1, -1, -1):
        closest = 0
        for group in range(1, count):
            if likeness[place, leaders[group]] > likeness[place, leaders[closest]]:
                closest = group
        if count and (count == most or likeness[place, leaders[closest]] >= least):
            groups[place] = closest
        else:
            groups[place], leaders[count] = count, place
            count += 1
    return groups


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
def shares_alike(codes: Rows, shares: Floats, asked: Rows) -> Floats:
    """Sum of the `shares`, shape (h,), of those `codes`, shape (h,), that equal each one `asked`: shape (m,), 0 for what is below 0."""
    found = np.zeros(len(asked), dtype=np.float32)
    for place in range(len(asked)):
        if asked[place] >= 0:
            for at in range(len(codes)):
                if codes[at] == asked[place]:
                    found[place] += shares[at]
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
