"""What a compiled condition is evaluated on, and the array work that all its parts share.

Truth has three values, as in CEL, where a missing value is an error: a part of a condition is true, false or unknown in
each row. So it is asked which rows are *certainly* true, or which are certainly false; "not" swaps the two questions.
A single value stands for all rows where they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from recommender.columns import Column, Columns, StringColumn

Mask = npt.NDArray[np.bool_] | np.bool_
Table = npt.NDArray[np.bool_]

_FEW = 4
_C = TypeVar("_C", bound=Column)


@dataclass(frozen=True, eq=False)
class Frame:
    """`n` rows of `columns` at `now` (µs since 1970). `variable`: a macro's variable, one row per distinct value."""

    columns: Columns
    n: int
    now: int
    variable: StringColumn | None = None
    known: dict[tuple[int, bool], Mask] = field(default_factory=dict)

    def column(self, name: str, kind: type[_C]) -> _C:
        """The column `name`, which the check found to be of `kind`."""
        column = self.columns.by_name[name]
        assert isinstance(column, kind)
        return column


class Truth(Protocol):
    """A condition, or part of one."""

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        """Rows in which this certainly is `wanted`, shape (n,) or a single value for all."""
        ...


def gather(table: Table, codes: npt.NDArray[np.int32]) -> Mask:
    """`table[codes]`, False where a code is -1; `table` holds one entry per distinct value."""
    hits = int(np.count_nonzero(table))
    if hits == 0:
        return np.bool_(False)
    if hits == len(table):
        return codes >= 0
    # A comparison takes a fifteenth of the time of a gather.
    if hits <= _FEW:
        mask: Mask = np.zeros(codes.shape, dtype=np.bool_)
        for code in np.flatnonzero(table):
            mask |= codes == np.int32(code)
        return mask
    if len(table) - hits <= _FEW:
        mask = codes >= 0
        for code in np.flatnonzero(~table):
            mask &= codes != np.int32(code)
        return mask
    return np.append(table, False).take(codes)


def any_in_row(hits: Mask, offsets: npt.NDArray[np.int32]) -> Mask:
    """Rows with at least one hit; row r's hits are `hits[offsets[r]:offsets[r + 1]]`."""
    if not isinstance(hits, np.ndarray):
        return (np.diff(offsets) > 0) & hits
    found = np.flatnonzero(hits)
    # Looking up single hits is fastest while they are few; counting through all of them does not depend on how many.
    if len(found) * 5 < len(offsets):
        mask = np.zeros(len(offsets) - 1, dtype=np.bool_)
        mask[np.searchsorted(offsets, found, side="right") - 1] = True
        return mask
    counts = np.zeros(len(hits) + 1, dtype=np.int32)
    np.cumsum(hits, out=counts[1:])
    at_offsets = counts.take(offsets)
    rows: Mask = at_offsets[1:] != at_offsets[:-1]
    return rows
