"""What a checked part of a condition is: its type, and how its values are had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from recommender.columns import BoolColumn, Column, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.conditions.frame import Truth
from recommender.conditions.logic import Flag
from recommender.conditions.numeric import ListSize, Moments, Number, NumberField, TimeField
from recommender.conditions.refusal import Span
from recommender.conditions.textual import Text, TextField


class Type(Enum):
    """CEL's name of each type that a part of a condition can have."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    STRINGS = "list(string)"
    LIST = "list"
    ATTRIBUTES = "map"
    NULL = "null"


@dataclass(frozen=True, eq=False)
class Operand(ABC):
    """`constant`: the same in every row and at any time. `field`: its name, where the operand is just a field."""

    span: Span
    constant: bool = False
    field: str = ""

    @property
    @abstractmethod
    def type(self) -> Type:
        """The operand's type."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TruthOperand(Operand):
    """True or false."""

    truth: Truth

    @property
    def type(self) -> Type:
        return Type.BOOL


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberOperand(Operand):
    """A number."""

    number: Number

    @property
    def type(self) -> Type:
        return Type.INT if self.number.whole else Type.DOUBLE


@dataclass(frozen=True, eq=False, kw_only=True)
class TextOperand(Operand):
    """A text."""

    text: Text

    @property
    def type(self) -> Type:
        return Type.STRING


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeOperand(Operand):
    """A point in time."""

    moments: Moments

    @property
    def type(self) -> Type:
        return Type.TIMESTAMP


@dataclass(frozen=True, eq=False, kw_only=True)
class DurationOperand(Operand):
    """A length of time."""

    moments: Moments

    @property
    def type(self) -> Type:
        return Type.DURATION


@dataclass(frozen=True, eq=False, kw_only=True)
class ListFieldOperand(Operand):
    """A field that holds a list of texts."""

    size: ListSize

    @property
    def type(self) -> Type:
        return Type.STRINGS


@dataclass(frozen=True, eq=False, kw_only=True)
class ListOperand(Operand):
    """A list literal of constants of one type."""

    items: tuple[Operand, ...]

    @property
    def type(self) -> Type:
        return Type.LIST


@dataclass(frozen=True, eq=False)
class AttributesOperand(Operand):
    """All attributes, which can only be selected from or asked for a name."""

    @property
    def type(self) -> Type:
        return Type.ATTRIBUTES


@dataclass(frozen=True, eq=False)
class NullOperand(Operand):
    """null"""

    @property
    def type(self) -> Type:
        return Type.NULL


def field_operand(span: Span, name: str, column: Column) -> Operand:
    """The field `name`, whose values are in `column`."""
    if isinstance(column, StringColumn):
        return TextOperand(span, field=name, text=TextField(name))
    if isinstance(column, NumberColumn):
        return NumberOperand(span, field=name, number=NumberField(name))
    if isinstance(column, BoolColumn):
        return TruthOperand(span, field=name, truth=Flag(name))
    if isinstance(column, TimeColumn):
        return TimeOperand(span, field=name, moments=TimeField(name))
    assert isinstance(column, StringListColumn)
    return ListFieldOperand(span, field=name, size=ListSize(name))
