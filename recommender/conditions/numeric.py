"""Numbers, times and lengths of time: fields, constants, arithmetic and comparisons, a column at a time.

Numbers are float64 with NaN for missing; times and durations are int64 µs with `MISSING_TIME` for missing. What has no
result (a division of whole numbers by zero, a time beyond the year 9999) is missing too, where CEL raises an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recommender.columns import NumberColumn, StringListColumn, TimeColumn
from recommender.conditions.frame import Frame, Mask
from recommender.conditions.syntax import WHOLE_LIMIT
from recommender.times import MISSING_TIME

Numbers = npt.NDArray[np.float64] | np.float64
Micros = npt.NDArray[np.int64] | int

_COMPARE = {"==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


class Number(Protocol):
    """A number per row; `whole` where it is an int in CEL's sense."""

    @property
    def whole(self) -> bool: ...

    def values(self, frame: Frame) -> Numbers:
        """Shape (n,) or a single value for all rows; NaN where missing."""
        ...


@dataclass(frozen=True, eq=False)
class NumberConstant:
    """A number as written."""

    value: float
    whole: bool

    def values(self, frame: Frame) -> Numbers:
        return np.float64(self.value)


@dataclass(frozen=True, eq=False)
class NumberField:
    """A number field."""

    field: str
    whole: bool = False

    def values(self, frame: Frame) -> Numbers:
        return frame.column(self.field, NumberColumn).values


@dataclass(frozen=True, eq=False)
class ListSize:
    """size() of a list field."""

    field: str
    whole: bool = True

    def values(self, frame: Frame) -> Numbers:
        return np.diff(frame.column(self.field, StringListColumn).offsets).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """left operator right; of two whole numbers the result is whole, and / drops the fraction."""

    operator: str
    left: Number
    right: Number

    @property
    def whole(self) -> bool:
        return self.left.whole and self.right.whole

    def values(self, frame: Frame) -> Numbers:
        with np.errstate(all="ignore"):
            result: Numbers = _ARITHMETIC[self.operator](self.left.values(frame), self.right.values(frame))
        if not self.whole:
            return result
        whole = np.trunc(result)
        exact: Numbers = np.where(np.abs(whole) <= WHOLE_LIMIT, whole, np.nan)
        return exact


@dataclass(frozen=True, eq=False)
class NumberComparison:
    """left operator right; unknown where either is missing."""

    operator: str
    left: Number
    right: Number

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        operator = self.operator if wanted else _OPPOSITE[self.operator]
        left, right = self.left.values(frame), self.right.values(frame)
        mask: Mask = _COMPARE[operator](left, right)
        # NaN makes every comparison false but this one.
        return mask & ~(np.isnan(left) | np.isnan(right)) if operator == "!=" else mask


@dataclass(frozen=True, eq=False)
class NumberInList:
    """number in [constants]; unknown where the number is missing."""

    number: Number
    values: tuple[float, ...]

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        values = self.number.values(frame)
        found: Mask = np.isin(values, np.array(self.values, dtype=np.float64)) & ~np.isnan(values)
        return found if wanted else ~found & ~np.isnan(values)


class Moments(Protocol):
    """A time or a length of time per row."""

    def micros(self, frame: Frame) -> Micros:
        """µs, shape (n,) or a single value for all rows; `MISSING_TIME` where missing."""
        ...


@dataclass(frozen=True, eq=False)
class MomentConstant:
    """timestamp("…") or duration("…")"""

    value: int

    def micros(self, frame: Frame) -> Micros:
        return self.value


@dataclass(frozen=True, eq=False)
class Now:
    """The moment at which the condition is evaluated."""

    def micros(self, frame: Frame) -> Micros:
        return frame.now


@dataclass(frozen=True, eq=False)
class TimeField:
    """A time field."""

    field: str

    def micros(self, frame: Frame) -> Micros:
        return frame.column(self.field, TimeColumn).values


@dataclass(frozen=True, eq=False)
class Shift:
    """left + right or left - right, missing where the result is not in `limits` (µs, both ends allowed)."""

    operator: str
    left: Moments
    right: Moments
    limits: tuple[int, int]

    def micros(self, frame: Frame) -> Micros:
        left, right = self.left.micros(frame), self.right.micros(frame)
        low, high = self.limits
        # What is missing overflows here, and is put right below; what is not is within some 10,000 years, far from it.
        result = left + right if self.operator == "+" else left - right
        missing = (left == MISSING_TIME) | (right == MISSING_TIME) | (result < low) | (result > high)
        if isinstance(result, int):
            return MISSING_TIME if missing else result
        return np.where(missing, MISSING_TIME, result)


@dataclass(frozen=True, eq=False)
class MomentComparison:
    """left operator right; unknown where either is missing."""

    operator: str
    left: Moments
    right: Moments

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        left, right = self.left.micros(frame), self.right.micros(frame)
        if MISSING_TIME in (side for side in (left, right) if isinstance(side, int)):
            return np.bool_(False)
        mask: Mask = _COMPARE[self.operator if wanted else _OPPOSITE[self.operator]](left, right)
        for side in (left, right):
            if not isinstance(side, int):
                mask &= side != MISSING_TIME
        return mask


@dataclass(frozen=True, eq=False)
class MomentInList:
    """moment in [constants]; unknown where the moment is missing."""

    moment: Moments
    values: tuple[int, ...]

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        micros = self.moment.micros(frame)
        found: Mask = np.isin(micros, np.array(self.values, dtype=np.int64))
        return (found if wanted else ~found) & np.not_equal(micros, MISSING_TIME)
