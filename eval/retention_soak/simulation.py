"""Day after day into a store, retention each night, and how large the store is then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeVar

from eval.retention_soak.days import Day, Volume
from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Generations
from recommender.items import Item, ItemKind
from recommender.retention import Rules, apply
from recommender.store import Store, open_store, store_exists
from recommender.store.database import FREE
from recommender.store.places import database_at

BATCH = 1_000
"""Events, and served records, of one call."""

THIRDS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Night:
    """The store after day `day`, from 1, and its night.

    `bytes`: on the disk, with SQLite's log; `free`: of them, that the store uses again. `expired`: rows that went in the night, which took
    `seconds`; `longest_ms`: the longest that an event waited meanwhile, None where none was sent.
    """

    day: int
    bytes: int
    free: int
    events: int
    sessions: int
    users: int
    decisions: int
    expired: int
    seconds: float
    longest_ms: float | None

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return dict(self.__dict__)


def simulated(
    where: Path | str,
    volume: Volume,
    rules: Rules,
    *,
    days: int,
    start: datetime,
    dedup_days: int,
    busy: bool = False,
    tell: Callable[[Night], None] = lambda night: None,
) -> list[Night]:
    """Simulate `days` of `volume` from `start` on, in a store that is made at `where`, as fast as it goes. What each night left.

    With `busy` somebody sends one event after the other while retention is at work, which adds some events to the day's. `tell` hears of
    each night. Raises `InvalidInput` where there is something at `where`.
    """
    if store_exists(where):
        raise InvalidInput("store", database_at(where).name, "a place where there is nothing yet: what is simulated is written there")
    generations = Generations(Path("no generations"))
    with open_store(where, create=True) as store:
        store.upsert_items([Item(f"item-{number}", ItemKind.ARTICLE, title=f"item {number}") for number in range(volume.items)], now=start)
    nights = []
    for number in range(days):
        day = Day(volume, number, start + timedelta(days=number))
        with open_store(where, dedup_days=dedup_days) as store:
            _lived(store, day)
            began = time.perf_counter()
            with _sending(where, day, busy) as waits:
                expired = apply(store, generations, rules, now=day.end)
            seconds = time.perf_counter() - began
            counts = store.counts()
        # Closed, so that SQLite's log is in its file.
        size, free = _sizes(where)
        rows = sum(each.count for each in expired.expiring)
        longest = 1e3 * max(waits) if waits else None
        nights.append(Night(number + 1, size, free, counts.events, counts.sessions, counts.users, counts.decisions, rows, seconds, longest))
        tell(nights[-1])
    return nights


def growth(nights: list[Night]) -> float:
    """By what share of itself the store grew over the last third of the days. Raises `InvalidInput` for fewer than three."""
    if len(nights) < THIRDS:
        raise InvalidInput("days", len(nights), f"{THIRDS} or more")
    return nights[-1].bytes / nights[-1 - len(nights) // THIRDS].bytes - 1


def _lived(store: Store, day: Day) -> None:
    for events in _batches(day.events()):
        store.record_events(events, now=day.end, consent_default=Consent.ALL)
    for session, user in day.links():
        store.link_session(session, user)
    for decisions in _batches(day.decisions()):
        store.record_decisions(decisions)


def _batches(things: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(islice(things, BATCH)):
        yield batch


@contextmanager
def _sending(where: Path | str, day: Day, busy: bool) -> Iterator[list[float]]:
    """Where `busy`, somebody sends events through a connection of their own, and the seconds that each took are noted."""
    waits: list[float] = []
    stop = threading.Event()

    def send() -> None:
        with open_store(where) as other:
            for number in count():
                event = Event(f"day-{day.number}-beside-{number}", EventType.CLICK, Subject.user("user-0"), "item-0", at=day.end)
                began = time.perf_counter()
                other.record_events([event], now=day.end, consent_default=Consent.ALL)
                waits.append(time.perf_counter() - began)
                if stop.is_set():
                    return

    sender = threading.Thread(target=send)
    if busy:
        sender.start()
    try:
        yield waits
    finally:
        stop.set()
        if busy:
            sender.join()


def _sizes(where: Path | str) -> tuple[int, int]:
    """Bytes on the disk, and how many of them are free for what comes."""
    if isinstance(where, str) and "://" in where:
        _vacuumed(where)
    sizes = dict(database_at(where).sizes())
    free = sizes.pop(FREE, 0)
    return sum(sizes.values()), free


def _vacuumed(url: str) -> None:
    """What the server does by itself every few minutes of a real day."""
    from recommender.store.postgres import PostgresDatabase

    with closing(PostgresDatabase.at(url).writing()) as connection:
        connection.execute("VACUUM")
