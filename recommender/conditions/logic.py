"""Truth from truth: constants, true/false fields, presence, && || ! and comparing two truths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.columns import BoolColumn, Column, NumberColumn, StringColumn, TimeColumn
from recommender.conditions.frame import Frame, Mask, Truth
from recommender.times import MISSING_TIME


@dataclass(frozen=True, eq=False)
class Constant:
    """true or false"""

    value: bool

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        return np.bool_(self.value == wanted)


@dataclass(frozen=True, eq=False)
class Flag:
    """A true/false field; unknown where missing."""

    field: str

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        mask: Mask = frame.column(self.field, BoolColumn).values == np.int8(wanted)
        return mask


@dataclass(frozen=True, eq=False)
class Present:
    """Whether a field is there; never unknown."""

    field: str

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        present = _present(frame.columns.by_name[self.field])
        return present if wanted else ~present


def _present(column: Column) -> Mask:
    mask: Mask
    if isinstance(column, StringColumn):
        mask = column.codes >= 0
    elif isinstance(column, NumberColumn):
        mask = ~np.isnan(column.values)
    elif isinstance(column, BoolColumn):
        mask = column.values >= 0
    elif isinstance(column, TimeColumn):
        mask = column.values != MISSING_TIME
    else:
        mask = np.bool_(True)
    return mask


@dataclass(frozen=True, eq=False)
class Not:
    """!operand"""

    operand: Truth

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        return self.operand.rows(frame, not wanted)


@dataclass(frozen=True, eq=False)
class Chain:
    """`operands` joined by && (`every`) or by ||: a false operand decides &&, a true one ||, whatever is unknown."""

    operands: tuple[Truth, ...]
    every: bool

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        mask = self.operands[0].rows(frame, wanted)
        for operand in self.operands[1:]:
            other = operand.rows(frame, wanted)
            mask = mask & other if wanted == self.every else mask | other
        return mask


@dataclass(frozen=True, eq=False)
class SameTruth:
    """left == right of two truths; unknown where either is."""

    left: Truth
    right: Truth

    def rows(self, frame: Frame, wanted: bool) -> Mask:
        # Each side is asked both questions, so without memory a nest of these would double the work at every level.
        key = (id(self), wanted)
        if key not in frame.known:
            left, right = self.left, self.right
            frame.known[key] = (left.rows(frame, True) & right.rows(frame, wanted)) | (
                left.rows(frame, False) & right.rows(frame, not wanted)
            )
        return frame.known[key]
