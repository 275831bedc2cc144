"""What an overlay is asked for in every feed, as compiled loops: a dozen short calls of NumPy cost more than what they look up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.instructions import single

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.int16]
Numbers = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


@compiled
def place_among(row: int, rows: Rows) -> int:
    """Where `row` stands among different `rows`, ascending; -1 where it does not."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low if low < len(rows) and rows[low] == row else -1


@compiled
def all_below(rows: Rows, n: int) -> bool:
    """Whether all `rows` are those of a generation of `n` items."""
    place = 0
    while place < len(rows) and rows[place] < n:
        place += 1
    return place == len(rows)


@compiled
def count_below(rows: Rows, n: int) -> int:
    """How many of `rows`, ascending, are those of a generation of `n` items."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < n:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def all_as_built(rows: Rows, n: int, revised_rows: Rows) -> bool:
    """Whether all `rows` are those of a generation of `n` items, and none is among `revised_rows`, ascending."""
    place = 0
    while place < len(rows) and rows[place] < n and place_among(rows[place], revised_rows) < 0:
        place += 1
    return place == len(rows)


@compiled
def places_of(rows: Rows, n: int, added: Rows, revised_rows: Rows, revised: Rows) -> Rows:
    """Where a delta has each of `rows`, shape (r,): `added[row − n]` from `n` on, `revised` for `revised_rows`, -1 for others."""
    found = np.empty(len(rows), dtype=np.int32)
    for place in range(len(rows)):
        row = rows[place]
        if row >= n:
            found[place] = added[row - n]
        else:
            at = place_among(row, revised_rows)
            found[place] = revised[at] if at >= 0 else np.int32(-1)
    return found


@compiled
def numbers_of(rows: Rows, known: Numbers, added: Numbers) -> Numbers:
    """Item numbers of `rows`, shape (r,): those of `known`, shape (n,), and from row n on those of `added`."""
    found, n = np.empty(len(rows), dtype=np.uint32), len(known)
    for place in range(len(rows)):
        row = rows[place]
        found[place] = known[row] if row < n else added[row - n]
    return found


@compiled
def names_new(numbers: Numbers, row_of_number: Rows, n: int) -> bool:
    """Whether any of `numbers` is that of a row from `n` on; the last place of `row_of_number` is -1, for numbers that nothing has."""
    last = len(row_of_number) - 1
    place = 0
    while place < len(numbers) and row_of_number[min(numbers[place], last)] < n:
        place += 1
    return place < len(numbers)


@compiled
def put_changed(mask: Mask, live: Mask, changed: Mask, n: int, added: Rows, revised_rows: Rows, revised: Rows) -> None:
    """Write over a `mask` of n + m items what holds for those of a delta, whose own mask is `changed`, as far as they are `live`."""
    for place in range(len(added)):
        mask[n + place] = changed[added[place]] and live[n + place]
    for place in range(len(revised_rows)):
        mask[revised_rows[place]] = changed[revised[place]] and live[revised_rows[place]]


@compiled
def lent_to(rows: Rows, strengths: Floats, lenders: Rows, starts: Rows, items: Rows, weights: Halves, m: int) -> Floats:
    """What `rows` lend by their `strengths`, both of shape (l,), to each of m items, shape (m,).

    `lenders`: shape (u,), ascending: of these the place p lends to `items` from `starts[p]` to `starts[p + 1]`, by the `weights` there, in
    half precision, both of shape (z,).
    """
    lent = np.zeros(m, dtype=np.float32)
    for at in range(len(rows)):
        place = place_among(rows[at], lenders)
        if place >= 0:
            for loan in range(starts[place], starts[place + 1]):
                lent[items[loan]] += strengths[at] * single(weights[loan])
    return lent


@compiled
def lent_by(rows: Rows, wanted: Rows, lenders: Rows, weights: Halves) -> Floats:
    """What one unit of each of `rows`, shape (l,), lends to each of the items that are `wanted`, shape (r,): shape (l, r).

    `lenders`, `weights`: shape (m, k), who lends to an item, -1 for nobody, and how much, in half precision.
    """
    lent = np.zeros((len(rows), len(wanted)), dtype=np.float32)
    for item in range(len(wanted)):
        line = lenders[wanted[item]]
        for place in range(len(line)):
            for at in range(len(rows)):
                if line[place] >= 0 and rows[at] == line[place]:
                    lent[at, item] += single(weights[wanted[item], place])
    return lent


@compiled
def to_compare(rows: Rows, allowed: Mask, lent: Floats, n: int, most: int) -> Rows:
    """Places of up to `most` of the `rows` that are `allowed`: first those of items from n on to which something is `lent`, shape (m,), or
    nothing for none, and then others, the last ones first of both."""
    chosen, others = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    count, left = 0, 0
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        if count == most:
            break
        if allowed[row]:
            if row >= n and row - n < len(lent) and lent[row - n] > 0:
                chosen[count] = place
                count += 1
            elif left < most:
                others[left] = place
                left += 1
    further = min(left, most - count)
    chosen[count : count + further] = others[:further]
    return chosen[: count + further]
