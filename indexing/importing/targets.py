"""What is done with the rows of an import: items go into the catalogue, events into the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from indexing.importing.rejects import Problem
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.rows_to_items import item_from_row
from indexing.importing.schema import EVENTS, ITEMS, Schema
from indexing.importing.values import Values
from recommender.errors import InvalidInput
from recommender.events import Consent, Event
from recommender.items import Item
from recommender.store import EventStatus, Store, UpsertStatus

R = TypeVar("R")


@dataclass(frozen=True)
class Written:
    """What became of a batch: `counts` by outcome, and the `refused` records by their place in the batch."""

    counts: Counter[str]
    refused: dict[int, Problem]


class Target(Protocol[R]):
    """Where rows go. `outcomes` names the counts that `write` gives; `latest_wins`: of records with one key, the last holds."""

    schema: Schema
    outcomes: tuple[str, ...]
    latest_wins: bool

    def record(self, values: Values, *, untyped: bool) -> R:
        """The record of one row. Raises `InvalidInput`."""
        ...

    def key(self, record: R) -> str:
        """What makes two records the same one."""
        ...

    def weight(self, record: R) -> int:
        """About how many bytes the record takes."""
        ...

    def problems(self, records: Sequence[R]) -> dict[int, Problem]:
        """What is wrong with records that are well-formed by themselves, by their place in the batch."""
        ...

    def write(self, store: Store, records: Sequence[R]) -> Written:
        """Put the records into the store, durably."""
        ...


class ItemTarget:
    """The catalogue. `now` is the time of the change."""

    schema = ITEMS
    outcomes: tuple[str, ...] = ("created", "updated", "unchanged")
    latest_wins = True

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._vector_length: int | None = None

    def record(self, values: Values, *, untyped: bool) -> Item:
        """See `Target`."""
        return item_from_row(values, untyped=untyped)

    def key(self, record: Item) -> str:
        """See `Target`."""
        return record.id

    def weight(self, record: Item) -> int:
        """See `Target`."""
        return 1_000 + len(record.title) + len(record.text) + (record.embedding.nbytes if record.embedding is not None else 0)

    def problems(self, records: Sequence[Item]) -> dict[int, Problem]:
        """Vectors of another length than the first one of the import: no index can hold both."""
        found = {}
        for place, item in enumerate(records):
            if item.embedding is None:
                continue
            length = item.embedding.shape[0]
            self._vector_length = self._vector_length or length
            if length != self._vector_length:
                allowed = f"{self._vector_length} numbers, as in the first item that brings a vector"
                found[place] = Problem.of(InvalidInput("embedding", f"{length} numbers", allowed))
        return found

    def write(self, store: Store, records: Sequence[Item]) -> Written:
        """See `Target`."""
        names = {UpsertStatus.CREATED: "created", UpsertStatus.UPDATED: "updated", UpsertStatus.UNCHANGED: "unchanged"}
        upserted = store.upsert_items(records, now=self._now)
        return Written(Counter(names[outcome.status] for outcome in upserted), {})


class EventTarget:
    """The history. `now` bounds the events' times, `consent_default` holds for events that say nothing."""

    schema = EVENTS
    outcomes: tuple[str, ...] = ("accepted", "duplicates")
    latest_wins = False

    def __init__(self, store: Store, *, now: datetime, consent_default: Consent, future_tolerance_s: float) -> None:
        self._store = store
        self._now = now
        self._latest = now + timedelta(seconds=future_tolerance_s)
        self._consent_default = consent_default

    def record(self, values: Values, *, untyped: bool) -> Event:
        """See `Target`."""
        event = event_from_row(values)
        if event.at is not None and event.at > self._latest:
            raise InvalidInput("at", event.at.isoformat(), "a time that is not in the future")
        return event

    def key(self, record: Event) -> str:
        """See `Target`."""
        return record.id

    def weight(self, record: Event) -> int:
        """See `Target`."""
        return 500

    def problems(self, records: Sequence[Event]) -> dict[int, Problem]:
        """Items that the catalogue does not have."""
        known = self._store.item_numbers(list({event.item_id for event in records}))
        allowed = "the id of an item in the catalogue (import items first)"
        return {
            place: Problem.of(InvalidInput("item_id", event.item_id, allowed))
            for place, event in enumerate(records)
            if event.item_id not in known
        }

    def write(self, store: Store, records: Sequence[Event]) -> Written:
        """See `Target`."""
        counts: Counter[str] = Counter()
        refused = {}
        outcomes = store.record_events(records, now=self._now, consent_default=self._consent_default)
        for place, outcome in enumerate(outcomes):
            if outcome.status is EventStatus.REJECTED:
                refused[place] = Problem(outcome.message, "refused by the store while writing")
            else:
                counts["accepted" if outcome.status is EventStatus.ACCEPTED else "duplicates"] += 1
        return Written(counts, refused)
