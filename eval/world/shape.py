"""How large a synthetic world is, and how its parts draw their random numbers."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from recommender.errors import InvalidInput

CATEGORIES = 24
"""Topics belong to so many categories, fewer in a small world."""
ITEMS_PER_TOPIC = 150
"""A topic has about so many items, in all languages together."""
LANGUAGES = ("en", "de", "fr", "es")
LANGUAGE_SHARES = (0.55, 0.2, 0.15, 0.1)


@dataclass(frozen=True)
class Shape:
    """A world of `items`, `users` and `events`, drawn with `seed`; its vectors have `dimension` numbers, its history takes `days`
    and ends at `end` (aware). With `words`, items bring no vectors, but texts of so many words, for a model to embed. Raises `InvalidInput`
    for a world that could not be drawn."""

    items: int
    users: int
    events: int
    seed: int = 1
    dimension: int = 384
    days: int = 120
    end: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    words: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("items", 100, 10_000_000),
            ("users", 10, 100_000_000),
            ("events", 100, 1_000_000_000),
            ("seed", 0, 2**32 - 1),
            ("dimension", 8, 4_096),
            ("days", 7, 3_650),
            ("words", 0, 1_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise InvalidInput(name, getattr(self, name), f"{least:,} to {most:,}")
        if self.end.tzinfo is None:
            raise InvalidInput("end", self.end.isoformat(), "a time with its offset, such as 2026-06-01T00:00:00Z")

    @property
    def start(self) -> datetime:
        """When the history begins."""
        return self.end - timedelta(days=self.days)

    @property
    def topics(self) -> int:
        """What items are about and people are interested in."""
        return max(12, min(4_000, round(self.items / ITEMS_PER_TOPIC)))

    @property
    def categories(self) -> int:
        """Each topic lies in one of so many."""
        return min(CATEGORIES, self.topics // 3)

    @property
    def cells(self) -> int:
        """A topic in one language is a cell: what a person picks from in one go."""
        return self.topics * len(LANGUAGES)

    def rng(self, name: str, part: int = 0) -> np.random.Generator:
        """The random numbers of one part of the world: no part depends on how many another one has drawn."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), part])

    def described(self) -> dict[str, object]:
        """The shape as JSON shows it."""
        told = {**asdict(self), "end": self.end.isoformat()}
        # Worlds with vectors are told as ever, so that those that were written before are known again.
        return told if self.words else {name: value for name, value in told.items() if name != "words"}
