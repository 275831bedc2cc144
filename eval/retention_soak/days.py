"""Days of constant volume, by given times: users who come daily, sessions that are new, come back or are linked, and what was served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from recommender.events import Event, EventType, Subject
from recommender.store import Decision

EVENTS_PER_USER, EVENTS_PER_SESSION = 20, 5
"""Events of one who comes, a day: half of a day's events are users', half sessions'."""

RETURNING, LINKED = 10, 5
"""One session in so many comes back the day after; one in so many is linked to a user."""

FEED, QUERY_BYTES = 30, 200
"""Items of a served record, and bytes of its query."""

TYPES = (EventType.IMPRESSION, EventType.CLICK, EventType.WATCH, EventType.VIEW)


@dataclass(frozen=True)
class Volume:
    """What comes each day: `events`, and `feeds` that were served; of `items` items. `seed`: same seed, same days."""

    events: int
    feeds: int
    items: int
    seed: int

    @property
    def users(self) -> int:
        """Users, who all come every day."""
        return max(1, self.events // 2 // EVENTS_PER_USER)

    @property
    def sessions(self) -> int:
        """New sessions a day."""
        return max(1, self.events // 2 // EVENTS_PER_SESSION)


@dataclass(frozen=True)
class Day:
    """Day `number`, from 0, which begins at `start`."""

    volume: Volume
    number: int
    start: datetime

    @property
    def end(self) -> datetime:
        """The last moment of it."""
        return self.start + timedelta(days=1, microseconds=-1)

    def events(self) -> Iterator[Event]:
        """What people did, in the order in which it comes, which is not quite that in which it was done."""
        rng = np.random.default_rng((self.volume.seed, self.number))
        people = self._people()
        items = rng.integers(self.volume.items, size=self.volume.events)
        types = rng.integers(len(TYPES), size=self.volume.events)
        seconds = np.sort(rng.integers(86_400, size=self.volume.events))
        late = rng.integers(-60, 1, size=self.volume.events)
        for place in range(self.volume.events):
            at = self.start + timedelta(seconds=max(0, int(seconds[place] + late[place])))
            event_id, who = f"day-{self.number}-event-{place}", people[place % len(people)]
            yield Event(event_id, TYPES[types[place]], who, f"item-{items[place]}", at=at)

    def links(self) -> list[tuple[str, str]]:
        """Sessions of the day that turn out to be users', each with the user."""
        some = range(0, self.volume.sessions, LINKED)
        return [(self._session(self.number, place).id, f"user-{place % self.volume.users}") for place in some]

    def decisions(self) -> Iterator[Decision]:
        """What was served."""
        rng = np.random.default_rng((self.volume.seed, self.number, 1))
        for place in range(self.volume.feeds):
            yield Decision(
                id=rng.bytes(16),
                at=self.start + timedelta(seconds=int(86_399 * place / self.volume.feeds)),
                subject=Subject.user(f"user-{place % self.volume.users}"),
                placement="home",
                placement_version="0123456789ab",
                generation_id="20260301T000000-00000000",
                profile="0123456789ab",
                basis=1,
                seed=place,
                change=self.number,
                query=rng.bytes(QUERY_BYTES),
                numbers=rng.integers(1, self.volume.items + 1, size=FEED).astype(np.uint32),
                sources=np.zeros(FEED, dtype=np.uint8),
                probabilities=np.ones(FEED, dtype=np.float32),
            )

    def _people(self) -> Sequence[Subject]:
        """Who comes, in turn: a user, a session, a user, …"""
        users = [Subject.user(f"user-{place}") for place in range(self.volume.users)]
        sessions = [self._session(self.number, place) for place in range(self.volume.sessions)]
        if self.number:
            # Not those that were linked.
            sessions += [self._session(self.number - 1, place) for place in range(1, self.volume.sessions, RETURNING)]
        turns = max(len(users), len(sessions))
        return [who for turn in range(turns) for who in (users[turn % len(users)], sessions[turn % len(sessions)])]

    @staticmethod
    def _session(day: int, place: int) -> Subject:
        return Subject.session(f"session-{day}-{place}")
