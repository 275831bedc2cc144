"""What editors may ask of a placement's slates: the rules as they are written in its settings.

docs/rules.md says in which order they hold where they get in each other's way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from recommender.composing.audience import audience_condition
from recommender.conditions.syntax import parse
from recommender.errors import InvalidCondition

RULES_LIMIT = 50
"""Rules of one placement: each is asked about for every feed."""
CONDITION_LIMIT = 2_000
WINDOW_LIMIT = 100
"""Neighbouring places of a slate that a quota may speak of."""
SLOT_LIMIT = 100

LABELLED = ("author", "brand", "owner", "kind", "language", "categories", "tags")
"""Fields of text or of labels, beside attributes."""


def _condition(expression: str) -> str:
    """Refuse what is no condition whatever the items are like; which fields they have, a generation alone knows."""
    try:
        if expression:
            parse(expression)
    except InvalidCondition as error:
        raise ValueError(f"a condition in CEL; instead of {error.given}: {error.allowed}") from None
    return expression


def _audience(expression: str) -> str:
    try:
        if expression:
            audience_condition(expression)
    except InvalidCondition as error:
        raise ValueError(f"a condition in CEL on who asks; instead of {error.given}: {error.allowed}") from None
    return expression


def _labelled(field: str) -> str:
    if field and field not in LABELLED and not field.startswith("attributes."):
        raise ValueError(f"{', '.join(LABELLED)}, or attributes.<name>")
    return field


Condition = Annotated[str, Field(max_length=CONDITION_LIMIT), AfterValidator(_condition)]
"""A condition in CEL on items, as filters are."""
Needed = Annotated[Condition, Field(min_length=1)]


class _Rule(BaseModel):
    """What all rules have: a name, by which answers tell of them, and when and for whom they hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    valid_from: AwareDatetime | None = None
    """Holds from this moment; open when absent."""
    valid_to: AwareDatetime | None = None
    """Holds until before this moment; open when absent."""
    audience: Annotated[str, AfterValidator(_audience)] = Field(default="", max_length=CONDITION_LIMIT)
    """A condition in CEL on who asks and when; empty for everybody."""

    @model_validator(mode="after")
    def _some_time(self) -> _Rule:
        if self.valid_from is not None and self.valid_to is not None and self.valid_from >= self.valid_to:
            raise ValueError("a valid_to that is later than valid_from")
        return self

    def holds_at(self, now: datetime) -> bool:
        """Whether `now`, aware, lies within the times of the rule."""
        return (self.valid_from is None or self.valid_from <= now) and (self.valid_to is None or now < self.valid_to)


class Pin(_Rule):
    """The best item that the condition lets through stands at a slot, wherever it may be shown."""

    do: Literal["pin"]
    filter: Needed
    slot: int = Field(ge=1, le=SLOT_LIMIT)
    """Place in the slate, from 1."""


class Boost(_Rule):
    """Scores of the items that the condition lets through count so many times."""

    do: Literal["boost"]
    filter: Needed
    factor: float = Field(gt=1, le=1_000)


class Bury(_Rule):
    """Scores of the items that the condition lets through count for less; with 0 they come behind all others."""

    do: Literal["bury"]
    filter: Needed
    factor: float = Field(default=0.0, ge=0, lt=1)


class Limit(_Rule):
    """At most so many of the items that the condition lets through within a window: of each value of a field, or of all together."""

    do: Literal["limit"]
    filter: Condition = ""
    """Empty for all items, which then needs `of`."""
    of: Annotated[str, AfterValidator(_labelled)] = Field(default="", max_length=200)
    """A field of text or of labels, such as "author" or "attributes.series": each of its values has a limit of its own."""
    at_most: int = Field(ge=1, le=WINDOW_LIMIT)
    within: int = Field(default=10, ge=2, le=WINDOW_LIMIT)
    """Neighbouring places of the slate."""

    @model_validator(mode="after")
    def _of_something(self) -> Limit:
        if not self.filter and not self.of:
            raise ValueError("a filter, or a field in `of`, or both")
        if self.at_most >= self.within:
            raise ValueError("an at_most below within: a window cannot hold more items than it has places")
        return self


class Ensure(_Rule):
    """At least so many of the items that the condition lets through within every window."""

    do: Literal["ensure"]
    filter: Needed
    at_least: int = Field(default=1, ge=1, le=WINDOW_LIMIT)
    within: int = Field(default=10, ge=1, le=WINDOW_LIMIT)
    """Neighbouring places of the slate."""

    @model_validator(mode="after")
    def _possible(self) -> Ensure:
        if self.at_least > self.within:
            raise ValueError("an at_least of no more than within")
        return self


class Require(_Rule):
    """Nothing is shown but what the condition lets through."""

    do: Literal["require"]
    filter: Needed


class Exclude(_Rule):
    """Nothing is shown that the condition lets through."""

    do: Literal["exclude"]
    filter: Needed


Rule = Annotated[Pin | Boost | Bury | Limit | Ensure | Require | Exclude, Field(discriminator="do")]
