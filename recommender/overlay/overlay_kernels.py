"""What an overlay is asked for in every feed, as compiled loops: a dozen short calls of NumPy cost more than what they look up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled

Rows = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


@compiled
def revised_at(row: int, revised_rows: Rows) -> int:
    """Where `row` stands among `revised_rows`, ascending; -1 where it does not."""
    low, high = 0, len(revised_rows)
    while low < high:
        middle = (low + high) // 2
        if revised_rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low if low < len(revised_rows) and revised_rows[low] == row else -1


@compiled
def all_below(rows: Rows, n: int) -> bool:
    """Whether all `rows` are those of a generation of `n` items."""
    place = 0
    while place < len(rows) and rows[place] < n:
        place += 1
    return place == len(rows)


@compiled
def all_as_built(rows: Rows, n: int, revised_rows: Rows) -> bool:
    """Whether all `rows` are those of a generation of `n` items, and none is among `revised_rows`, ascending."""
    place = 0
    while place < len(rows) and rows[place] < n and revised_at(rows[place], revised_rows) < 0:
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
            at = revised_at(row, revised_rows)
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
