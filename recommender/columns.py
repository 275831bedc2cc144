"""Catalogue columns: the form in which filters and rules see a generation's items, one value (or list) per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class StringColumn:
    """`codes`, shape (n,), int32: index into `values`; -1 where the item has none. `values` are distinct."""

    codes: npt.NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StringListColumn:
    """Row r holds `values[c]` for c in `codes[offsets[r]:offsets[r + 1]]`; `offsets` has shape (n + 1,), int32."""

    offsets: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """`values`, shape (n,), float64; NaN where the item has none."""

    values: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoolColumn:
    """`values`, shape (n,), int8: 1 true, 0 false, -1 where the item has none."""

    values: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class TimeColumn:
    """`values`, shape (n,), int64 µs since 1970; `MISSING_TIME` where the item has none."""

    values: npt.NDArray[np.int64]


Column = StringColumn | StringListColumn | NumberColumn | BoolColumn | TimeColumn


@dataclass(frozen=True, eq=False)
class Columns:
    """All filterable columns of `n` rows by their name in a filter; attributes are named "attributes.<name>"."""

    n: int
    by_name: Mapping[str, Column]
