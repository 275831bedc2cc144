"""Build settings: what a generation is learnt and served with. They belong to the generation; its manifest keeps them.

The hash of these settings names the *served profile*: the same one is timed, judged and served.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.validation import refusal


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _weight(default: float) -> float:
    value: float = Field(default=default, ge=-100, le=100)
    return value


class EventWeights(_Settings):
    """How much one event of each type says about taste; negative ones speak against the item, 0 ignores the type.

    Where a read or watch carries its portion, the weight is multiplied by it. Impressions have no weight: being shown an item
    is nobody's choice.
    """

    view: float = _weight(0.5)
    click: float = _weight(0.7)
    read: float = _weight(1.0)
    watch: float = _weight(1.0)
    like: float = _weight(1.5)
    dislike: float = _weight(-0.5)
    hide: float = _weight(-0.5)
    save: float = _weight(1.0)
    share: float = _weight(1.5)
    cart: float = _weight(1.0)
    purchase: float = _weight(1.5)
    custom: float = _weight(0.0)

    def table(self) -> npt.NDArray[np.float32]:
        """Weight by `EventType` number, shape (14,), float32."""
        weights = np.zeros(max(EventType) + 1, dtype=np.float32)
        for name in type(self).model_fields:
            weights[EventType[name.upper()]] = getattr(self, name)
        return weights


class Collaborative(_Settings):
    """Implicit-feedback matrix factorisation (ALS), served by exact fold-in."""

    factors: int = Field(default=64, ge=1, le=1_024)
    """Length of the item vectors."""
    regularisation: float = Field(default=30.0, gt=0, le=100_000)
    alpha: float = Field(default=5.0, gt=0, le=100_000)
    """Confidence that one unit of event weight adds."""
    iterations: int = Field(default=15, ge=1, le=500)
    history_decay: float = Field(default=0.85, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class ItemItem(_Settings):
    """Linear item–item weights: a ridge regression without self-similarity where the catalogue is small enough."""

    neighbours: int = Field(default=100, ge=1, le=10_000)
    """Largest weights kept per item."""
    dense_limit: int = Field(default=20_000, ge=0, le=100_000)
    """Up to so many items with events the dense closed form is solved; above, normalised co-occurrence stands in."""
    regularisation: float = Field(default=500.0, gt=0, le=1_000_000)
    degree_exponent: float = Field(default=0.25, ge=0, le=2)
    """Heavy consumers count less: a person's row is divided by (sum of weights) to this power. 0 is off."""
    history_decay: float = Field(default=0.95, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""


class Content(_Settings):
    """Embedding neighbours of a history's interests."""

    interests: int = Field(default=3, ge=1, le=16)
    """Interest vectors per history at the most."""
    same_interest: float = Field(default=0.5, ge=-1, le=1)
    """Cosine above which two items belong to one interest."""
    history_decay: float = Field(default=0.9, gt=0, le=1)
    """A history's event counts this much less for every step that it lies back."""
    exact_limit: int = Field(default=5_000, ge=0)
    """Up to so many items vectors are scanned exactly; above, the index is a compressed one."""


class Popularity(_Settings):
    """Counts of positive events, fading with age."""

    half_life_days: float = Field(default=30.0, gt=0, le=100_000)


class Judging(_Settings):
    """How a build judges itself before it is let in (on a twin that has not seen what it is judged on)."""

    share: float = Field(default=0.2, gt=0, lt=0.9)
    """The newest share of events that the twin does not see and is judged on."""
    reveal: float = Field(default=0.5, ge=0, lt=1)
    """Share of a judged person's events after the cut that count as history, as they would while the generation serves."""
    people: int = Field(default=5_000, ge=1)
    """People judged at the most, drawn at random."""
    fewest: int = Field(default=20, ge=1)
    """With fewer people to judge on, figures would mean nothing and the comparison is left out."""


class BuildSettings(_Settings):
    """Everything that a build needs besides data, an embedder and a seed."""

    event_weights: EventWeights = EventWeights()
    half_life_days: float = Field(default=180.0, gt=0, le=100_000)
    """Age at which an event counts half in the training matrix."""
    person_limit: int = Field(default=500, ge=1, le=100_000)
    """Newest events of one person that are learnt from, so that no bot explodes co-occurrence."""
    history_cap: int = Field(default=100, ge=1, le=200)
    """Newest events of a history that a feed goes by."""
    collaborative: Collaborative = Collaborative()
    item_item: ItemItem = ItemItem()
    content: Content = Content()
    popularity: Popularity = Popularity()
    judging: Judging = Judging()
    embedder: str = Field(default="auto", min_length=1)
    """Name or folder of a sentence-transformers model; "auto" takes the MiniLM weights of the installed package."""
    embed_precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = Field(default=0, ge=0, le=2**31 - 1)

    @property
    def hash(self) -> str:
        """Twelve hex digits that change when any setting does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def load_build_settings(path: Path | None) -> BuildSettings:
    """Build settings from the TOML file `path`, or the defaults without one. Raises `InvalidInput` naming file and key."""
    if path is None:
        return BuildSettings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return BuildSettings.model_validate(table)
    except FileNotFoundError:
        raise InvalidInput(str(path), "no such file", "a TOML file of build settings") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), str(error), "a TOML file of build settings") from error
    except ValidationError as error:
        raise refusal(f"{path}: ", error, BuildSettings) from error
