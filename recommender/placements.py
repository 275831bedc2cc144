"""Placements: the named spots on a page or screen ("home", "article-sidebar") and how feeds for them are made.

These settings apply per request, may change without a new generation, and carry a version that every answer names.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recommender.composing.rules import RULES_LIMIT, Rule
from recommender.composing.variety import Breaking, Exploration, Impressions, Variety
from recommender.errors import InvalidInput, NotFound
from recommender.items import ItemKind
from recommender.validation import refusal

SLATE_LIMIT = 500
PAGE_LIMIT = 100

HISTORY_BUCKETS = (0, 1, 3, 10)
"""Source weights are given for four lengths of history: none, 1–2, 3–9, and 10 or more events."""

Weights = tuple[float, float, float, float]


class SourceWeights(BaseModel):
    """Weight of each source in the blend, by length of history (0, 1–2, 3–9, 10+); 0 leaves the source out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Weights = (0.0, 0.3, 0.3, 0.2)
    collaborative: Weights = (0.0, 1.0, 1.0, 1.0)
    item_item: Weights = (0.0, 1.0, 0.7, 0.7)
    popular: Weights = (1.0, 0.7, 0.6, 0.5)
    fresh: Weights = (0.3, 0.1, 0.1, 0.1)
    transitions: Weights = (0.0, 0.7, 0.5, 0.5)
    graph: Weights = (0.0, 1.0, 1.0, 1.0)
    co_occurrence: Weights = (0.0, 0.3, 0.3, 0.3)
    transfer: Weights = (0.0, 0.2, 0.2, 0.2)
    response: Weights = (0.2, 0.2, 0.2, 0.2)
    sequence: Weights = (0.0, 0.5, 0.5, 0.5)

    @field_validator("*")
    @classmethod
    def _not_negative(cls, weights: Weights) -> Weights:
        if any(not 0 <= w <= 1_000 for w in weights):
            raise ValueError("four weights from 0 to 1000, for histories of 0, 1-2, 3-9 and 10 or more events")
        return weights


class HalfLives(BaseModel):
    """The half-life of freshness, in hours, of single kinds; None goes by that of all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    article: float | None = Field(default=None, gt=0, le=1_000_000)
    product: float | None = Field(default=None, gt=0, le=1_000_000)
    media: float | None = Field(default=None, gt=0, le=1_000_000)


class Placement(BaseModel):
    """How feeds for one placement are made. Lengths are in items, times in hours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    kinds: frozenset[ItemKind] = frozenset()
    """Kinds that may be shown; empty for all."""
    page_size: int = Field(default=20, ge=1, le=PAGE_LIMIT)
    """Items on a page where the request does not say."""
    slate_size: int = Field(default=200, ge=1, le=SLATE_LIMIT)
    """Items ranked at once and then paged through."""
    candidates: int = Field(default=200, ge=10, le=5_000)
    """Candidates that each source may propose."""
    ranker_depth: int = Field(default=200, ge=0, le=5_000)
    """Leading candidates that a generation's learned ranker puts in order; 0 does without it."""
    blend: Literal["learned", "weights"] = "learned"
    """Whether sources are blended as the generation learned, where it did, or by the weights below."""
    weights: SourceWeights = SourceWeights()
    rank_constant: float = Field(default=20.0, gt=0, le=1_000)
    """How slowly a source's say falls with the rank it gives: weight / (constant + rank)."""
    repeat: Literal["never", "allowed"] = "never"
    """Whether what was consumed may be shown again ("allowed" suits music; dismissed items never come back)."""
    own: Literal["hide", "show"] = "hide"
    """Whether people see items of which they are the owner themselves, such as what they sell."""
    freshness_half_life_hours: float = Field(default=72.0, gt=0, le=1_000_000)
    """Age at which the fresh source's score of an item has halved."""
    freshness_half_life_hours_of: HalfLives = HalfLives()
    score_floor: float = Field(default=0.0, ge=0, le=1)
    """Candidates of lower scores are not proposed; the fallback fills what they leave. Scores of a learned blend are chances of being taken
    up."""
    fallback: Literal["popular", "fresh", "none"] = "popular"
    """What fills a slate that the sources leave short; "none" lets it stay short."""
    variety: Variety = Variety()
    impressions: Impressions = Impressions()
    exploration: Exploration = Exploration()
    breaking: Breaking = Breaking()
    rules: tuple[Rule, ...] = Field(default=(), max_length=RULES_LIMIT)
    """What editors ask for; of quotas that get in each other's way the first one is kept."""

    @model_validator(mode="before")
    @classmethod
    def _given_weights_count(cls, given: object) -> object:
        if isinstance(given, dict) and "weights" in given:
            return {"blend": "weights", **given}
        return given

    @field_validator("kinds", mode="before")
    @classmethod
    def _kinds_by_name(cls, kinds: object) -> object:
        if not isinstance(kinds, list | tuple | set | frozenset):
            return kinds
        names = {kind.name.lower(): kind for kind in ItemKind}
        for kind in kinds:
            if not isinstance(kind, ItemKind) and kind not in names:
                raise ValueError(f"kinds among {', '.join(names)}")
        return frozenset(kind if isinstance(kind, ItemKind) else names[kind] for kind in kinds)

    @field_validator("rules")
    @classmethod
    def _each_name_once(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each name once; {twice[0]} is there twice")
        return rules

    @property
    def half_lives(self) -> tuple[float, ...]:
        """The half-life of freshness in hours by the number of an `ItemKind`; the first is that of no kind."""
        every, of = self.freshness_half_life_hours, self.freshness_half_life_hours_of
        return every, *(getattr(of, kind.name.lower()) or every for kind in ItemKind)

    @property
    def goes_by_chance(self) -> bool:
        """Whether chance has a say in its feeds."""
        return self.variety.rotation > 0 or self.exploration.share > 0

    @property
    def version(self) -> str:
        """Twelve hex digits that change when any setting of the placement does."""
        canonical = self.model_copy(update={"kinds": frozenset()}).model_dump_json() + str(sorted(self.kinds))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


class Placements:
    """All placements of a deployment, by name, from one validated file."""

    def __init__(self, placements: Mapping[str, Placement]) -> None:
        if not placements:
            raise InvalidInput("placements", "none", "at least one [placements.<name>] table")
        self.by_name: Mapping[str, Placement] = MappingProxyType(dict(placements))
        self.versions: Mapping[str, str] = MappingProxyType({name: placement.version for name, placement in placements.items()})

    @classmethod
    def default(cls) -> Placements:
        """One placement, "home", with the defaults."""
        return cls({"home": Placement(name="home")})

    def get(self, name: str) -> Placement:
        """The placement `name`; "" means the first one. Raises `NotFound` listing what exists."""
        if not name:
            return next(iter(self.by_name.values()))
        try:
            return self.by_name[name]
        except KeyError:
            raise NotFound("placement", name, f"there are: {', '.join(self.by_name)}") from None


def load_placements(path: Path) -> Placements:
    """Read placements from the TOML file `path`: one table [placements.<name>] each, in order.

    Raises `InvalidInput` naming file and key, what was given and what is allowed.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(str(path), "no such file", "a TOML file of [placements.<name>] tables") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidInput(str(path), str(error), "a TOML file of [placements.<name>] tables") from error
    unknown = set(tables) - {"placements"}
    named = tables.get("placements")
    if unknown or not isinstance(named, dict) or not named:
        raise InvalidInput(str(path), ", ".join(sorted(unknown)) or "no placements", "tables [placements.<name>] only, at least one")
    placements: dict[str, Placement] = {}
    for name, table in named.items():
        key = f"{path}: placements.{name}"
        if not isinstance(table, dict):
            raise InvalidInput(key, table, "a table")
        try:
            placements[name] = Placement.model_validate({**table, "name": name})
        except ValidationError as error:
            # A bad name has no key below it in the file.
            raise refusal(f"{key}.", error, Placement) from error
    return Placements(placements)
