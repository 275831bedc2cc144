"""How a placement's slates are kept from being all alike: settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recommender.composing.rules import Condition


class Variety(BaseModel):
    """What readers get besides more of the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strength: float = Field(default=0.0, ge=0, le=1)
    """Share of its score that an item loses right behind one of the very same meaning; 0 does without."""
    window: int = Field(default=10, ge=1, le=50)
    """Items before it that each is compared with."""
    depth: int = Field(default=60, ge=1, le=500)
    """Places of the slate that this goes on for; what follows stands as it was ranked."""
    choice: int = Field(default=40, ge=2, le=200)
    """Leading items of those that are left from which each place is filled."""
    near_duplicates: Literal["collapse", "allow"] = "collapse"
    """Whether of items that tell the very same, as several agencies do, one alone is shown."""
    rotation: float = Field(default=0.0, ge=0, le=2)
    """How freely items of similar scores change places from one answer to the next: odds go by scores to the power of 1 / rotation; 0 for
    the same list every time."""

    @property
    def near_duplicates_alone(self) -> Variety:
        """The same of near-duplicates, and nothing else."""
        return _ALONE[self.near_duplicates]


_ALONE = {said: Variety(strength=0, rotation=0, near_duplicates=said) for said in ("collapse", "allow")}
"""Variety where it is about near-duplicates alone."""
ALL_MAY_BE_ALIKE = _ALONE["allow"]


class Impressions(BaseModel):
    """What was shown and passed over gives way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    discount: float = Field(default=0.0, ge=0, lt=1)
    """Share of its score that an item loses for each time that it was seen and not taken up."""
    most: int = Field(default=10, ge=1, le=1_000)
    """Times that count at the most."""
    half_life_hours: float = Field(default=72.0, gt=0, le=1_000_000)
    """Time since it was last seen after which half of that is forgiven."""


class Exploration(BaseModel):
    """New and uncertain items get a fair first audience."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.0, ge=0, le=0.5)
    """Chance by which each place goes to one of them."""
    uncertain_below: float = Field(default=20.0, gt=0, le=1_000_000)
    """Weight of people's events below which an item counts as uncertain."""
    choice: int = Field(default=10, ge=1, le=100)
    """Uncertain items that are drawn from, each as likely as the others: by turns what ranks first and what least is known of."""


class Breaking(BaseModel):
    """What came after a feed was begun is taken in on its later pages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: Condition = ""
    """A condition on items; without one nothing is taken in."""
    slots: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(1,), min_length=1, max_length=20)
    """Places of each later page, from 1, that such items may have."""
    within_hours: float = Field(default=2.0, gt=0, le=1_000)
    """Only what was published within so many hours."""

    @field_validator("slots")
    @classmethod
    def _rising(cls, slots: tuple[int, ...]) -> tuple[int, ...]:
        if list(slots) != sorted(set(slots)):
            raise ValueError("places in rising order, each once")
        return slots


NO_IMPRESSIONS = Impressions(discount=0)
NO_EXPLORATION = Exploration(share=0)
