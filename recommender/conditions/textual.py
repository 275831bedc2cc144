"""Text and lists of text: what is asked of a text is answered once per distinct value, then gathered by code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from recommender.columns import Columns, StringColumn, StringListColumn
from recommender.conditions.frame import Frame, Mask, Table, Truth, any_in_row, gather
from recommender.conditions.numeric import Numbers
from recommender.conditions.patterns import find

Test = Callable[[Sequence[str]], Table]
"""What is asked: the answer for each of some distinct texts."""


def _test(ask: Callable[[str], bool]) -> Test:
    return lambda values: np.fromiter(map(ask, values), dtype=np.bool_, count=len(values))


def one_of(texts: frozenset[str]) -> Test:
    """Whether a text is one of `texts`."""
    return _test(texts.__contains__)


def compared(operator: str, constant: str) -> Test:
    """text operator constant; order is by code point."""
    # The constant's own methods, called with the text, so the operators are turned round.
    asks: dict[str, Callable[[str], bool]] = {
        "==": constant.__eq__,
        "!=": constant.__ne__,
        "<": constant.__gt__,
        "<=": constant.__ge__,
        ">": constant.__lt__,
        ">=": constant.__le__,
    }
    return _test(asks[operator])


def starting(prefix: str) -> Test:
    """Whether a text starts with `prefix`."""
    return _test(lambda value: value.startswith(prefix))


def ending(suffix: str) -> Test:
    """Whether a text ends with `suffix`."""
    return _test(lambda value: value.endswith(suffix))


def containing(part: str) -> Test:
    """Whether a text contains `part`."""
    return _test(lambda value: part in value)


def matching(pattern: str) -> Test:
    """Whether RE2 finds `pattern` anywhere in a text."""
    return partial(find, pattern)


@dataclass(frozen=True, eq=False)
class TextField:
    """A text field."""

    field: str

    def column(self, frame: Frame) -> StringColumn:
        return frame.column(self.field, StringColumn)


@dataclass(frozen=True, eq=False)
class Variable:
    """The variable of the macro around."""

    def column(self, frame: Frame) -> StringColumn:
        assert frame.variable is not None
        return frame.variable


@dataclass(frozen=True, eq=False)
class TextConstant:
    """A text as written."""

    value: str

    def column(self, frame: Frame) -> StringColumn:
        return StringColumn(np.zeros(frame.n, dtype=np.int32), (self.value,))


Text = TextField | Variable | TextConstant


@dataclass(frozen=True, eq=False)
class TextTest:
    """Whether a text passes a test; unknown where it is missing."""

    text: Text
    test: Test

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        column = self.text.column(frame)
        table = self.test(column.values)
        return gather(table if wanted else ~table, column.codes)


@dataclass(frozen=True, eq=False)
class TextComparison:
    """left operator right of two texts that both differ by row; unknown where either is missing."""

    operator: str
    left: Text
    right: Text

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        left, right = self.left.column(frame), self.right.column(frame)
        rank_of = {value: rank for rank, value in enumerate(sorted({*left.values, *right.values}))}
        left_ranks, right_ranks = (
            np.array([*(rank_of[value] for value in column.values), -1], dtype=np.int32)[column.codes] for column in (left, right)
        )
        ask = {
            "==": np.equal,
            "!=": np.not_equal,
            "<": np.less,
            "<=": np.less_equal,
            ">": np.greater,
            ">=": np.greater_equal,
        }[self.operator]
        holds: Mask = ask(left_ranks, right_ranks)
        return (holds if wanted else ~holds) & (left.codes >= 0) & (right.codes >= 0)


@dataclass(frozen=True, eq=False)
class TextSize:
    """size() of a text, in code points; NaN where it is missing."""

    text: Text
    whole: bool = True

    def values(self, frame: Frame) -> Numbers:
        column = self.text.column(frame)
        sizes: npt.NDArray[np.float64] = np.array([*map(len, column.values), np.nan], dtype=np.float64)
        return sizes[column.codes]


@dataclass(frozen=True, eq=False)
class AnyInList:
    """Whether a list field holds a text that passes a test; never unknown, as a list without entries is empty."""

    field: str
    test: Test

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        column = frame.column(self.field, StringListColumn)
        found = any_in_row(gather(self.test(column.values), column.codes), column.offsets)
        return found if wanted else ~found


@dataclass(frozen=True, eq=False)
class TextInField:
    """Whether a text that differs by row is in a list field; unknown where the text is missing."""

    text: Text
    field: str

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        text, held = self.text.column(frame), frame.column(self.field, StringListColumn)
        code_of = {value: code for code, value in enumerate(held.values)}
        codes = np.array([*(code_of.get(value, -1) for value in text.values), -1], dtype=np.int32)[text.codes]
        found = any_in_row(np.repeat(codes, np.diff(held.offsets)) == held.codes, held.offsets)
        return (found if wanted else ~found) & (text.codes >= 0)


@dataclass(frozen=True, eq=False)
class Exists:
    """list.exists(x, predicate): true where the predicate is for one entry, false where it is false for all."""

    field: str
    predicate: Truth

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        column = frame.column(self.field, StringListColumn)
        size = len(column.values)
        entries = StringColumn(np.arange(size, dtype=np.int32), column.values)
        inner = Frame(Columns(size, {}), size, frame.now, entries)
        table = np.broadcast_to(self.predicate.rows(inner, wanted), (size,))
        if wanted:
            return any_in_row(gather(table, column.codes), column.offsets)
        return ~any_in_row(gather(~table, column.codes), column.offsets)
