"""Events as they come to a store: of people and on items that it knows, drawn at random."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from recommender.errors import NotFound
from recommender.events import Consent, Event, EventType, Subject, SubjectKind
from recommender.store import Store
from recommender.store.connection import Row
from recommender.store.sqlite_connection import connect

SAMPLE = 100_000
"""People, and items, that events are drawn from, at most."""

TYPES = (*[EventType.IMPRESSION] * 4, EventType.VIEW, EventType.CLICK, EventType.READ, EventType.LIKE)
"""Half of what happens is that an item was seen."""


@dataclass(frozen=True)
class Draw:
    """Draws events at `now`, the end of the newest day that the store has; each run's ids begin with `name`."""

    people: tuple[Subject, ...]
    items: tuple[str, ...]
    now: datetime
    name: str
    rng: random.Random

    @classmethod
    def of(cls, store: Store, *, seed: int, name: str) -> Draw:
        """Of the people and items of `store`, a SQLite file. Raises `NotFound` where it holds no items or no people."""
        rng = random.Random(f"{seed} {name}")
        days = store.event_days()
        with closing(connect(Path(store.name), writer=False)) as connection:
            people = tuple(Subject(SubjectKind(kind), person) for kind, person in _drawn(connection, "kind, id", "people", rng))
            items = tuple(item for (item,) in _drawn(connection, "id", "items", rng))
        if not people or not items or not days:
            raise NotFound("person or item", store.name, "give the benchmark a store with items and events")
        end = datetime.combine(days[-1], time.min, UTC) + timedelta(days=1, seconds=-1)
        return cls(people, items, end, name, rng)

    def subject(self) -> Subject:
        """One of the people."""
        return self.rng.choice(self.people)

    def calls(self, count: int, size: int, label: str) -> Iterator[list[Event]]:
        """`count` lists of `size` events."""
        for call in range(count):
            yield [self._event(f"{self.name}-{label}-{call}-{place}", said=place % 2 == 0) for place in range(size)]

    def _event(self, event_id: str, *, said: bool) -> Event:
        kind = self.rng.choice(TYPES)
        portion = 0.5 if kind is EventType.READ else None
        consent = Consent.ALL if said else None
        return Event(event_id, kind, self.subject(), self.rng.choice(self.items), at=self.now, portion=portion, consent=consent)


def _drawn(connection: sqlite3.Connection, columns: str, table: str, rng: random.Random) -> list[Row]:
    (last,) = connection.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()
    numbers = sorted(rng.sample(range(1, last + 1), min(SAMPLE, last)))
    sql = f"SELECT {columns} FROM {table} WHERE number = ?"
    return [row for number in numbers for row in connection.execute(sql, (number,)).fetchall()]
