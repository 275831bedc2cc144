"""What is done with the rows of an import into a store: items go into the catalogue, events into the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import pyarrow as pa

from indexing.importing.columns_to_events import ordinary_events
from indexing.importing.rejects import Problem
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.rows_to_items import item_from_row
from indexing.importing.schema import EVENTS, ITEMS, Schema
from indexing.importing.values import Values
from recommender.errors import InvalidInput
from recommender.events import Consent
from recommender.items import Item
from recommender.store import EventRow, EventStatus, Store, UpsertStatus, row_of
from recommender.times import to_micros

R = TypeVar("R")


@dataclass(frozen=True)
class Written:
    """What became of a batch: `counts` by outcome, and the `refused` records by their place in the batch."""

    counts: Counter[str]
    refused: dict[int, Problem]


class Target(Protocol[R]):
    """What rows become. `outcomes` names the counts that writing gives; `latest_wins`: of records with one key, the last holds.
    `by_columns`: whether `records` is worth asking. `least_weight`: what `weight` gives at least."""

    schema: Schema
    outcomes: tuple[str, ...]
    latest_wins: bool
    by_columns: bool
    least_weight: int

    def record(self, values: Values, *, untyped: bool) -> R:
        """The record of one row. Raises `InvalidInput`."""
        ...

    def records(self, batch: pa.RecordBatch, sources: Mapping[str, str], constants: Mapping[str, object]) -> list[R | None]:
        """The records of those rows of `batch` that need no second look, None for the others; `sources` tells the column of each
        of ours, `constants` what holds for every row."""
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


class ItemTarget:
    """The catalogue. `now` is the time of the change."""

    schema = ITEMS
    outcomes: tuple[str, ...] = ("created", "updated", "unchanged")
    latest_wins = True
    by_columns = False
    least_weight = 1_000

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._vector_length: int | None = None

    def record(self, values: Values, *, untyped: bool) -> Item:
        """See `Target`."""
        return item_from_row(values, untyped=untyped)

    def records(self, batch: pa.RecordBatch, sources: Mapping[str, str], constants: Mapping[str, object]) -> list[Item | None]:
        """See `Target`."""
        return [None] * len(batch)

    def key(self, record: Item) -> str:
        """See `Target`."""
        return record.id

    def weight(self, record: Item) -> int:
        """See `Target`."""
        return self.least_weight + len(record.title) + len(record.text) + (record.embedding.nbytes if record.embedding is not None else 0)

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
        """Put the items into the store, durably."""
        names = {UpsertStatus.CREATED: "created", UpsertStatus.UPDATED: "updated", UpsertStatus.UNCHANGED: "unchanged"}
        upserted = store.upsert_items(records, now=self._now)
        return Written(Counter(names[outcome.status] for outcome in upserted), {})


class EventTarget:
    """The history. `now` bounds the events' times, `consent_default` holds for events that say nothing."""

    schema = EVENTS
    outcomes: tuple[str, ...] = ("accepted", "duplicates")
    latest_wins = False
    by_columns = True
    least_weight = 500

    def __init__(self, store: Store, *, now: datetime, consent_default: Consent, future_tolerance_s: float) -> None:
        self._store = store
        self._now = now
        self._latest = to_micros(now) + round(future_tolerance_s * 1_000_000)
        self._consent_default = consent_default

    def record(self, values: Values, *, untyped: bool) -> EventRow:
        """See `Target`."""
        event = event_from_row(values)
        if event.at is None:
            raise InvalidInput("at", None, "a time in every row")
        row = row_of(event, to_micros(event.at))
        if row.at > self._latest:
            raise InvalidInput("at", event.at.isoformat(), "a time that is not in the future")
        return row

    def records(self, batch: pa.RecordBatch, sources: Mapping[str, str], constants: Mapping[str, object]) -> list[EventRow | None]:
        """See `Target`."""
        rows = ordinary_events(batch, sources, constants)
        return [None if row is None or row.at > self._latest else row for row in rows]

    def key(self, record: EventRow) -> str:
        """See `Target`."""
        return record.id

    def weight(self, record: EventRow) -> int:
        """See `Target`."""
        return self.least_weight

    def problems(self, records: Sequence[EventRow]) -> dict[int, Problem]:
        """Items that the catalogue does not have."""
        known = self._store.item_numbers(list({event.item for event in records}))
        allowed = "the id of an item in the catalogue (import items first)"
        return {
            place: Problem.of(InvalidInput("item_id", event.item, allowed))
            for place, event in enumerate(records)
            if event.item not in known
        }

    def write(self, store: Store, records: Sequence[EventRow]) -> Written:
        """Put the events into the store, durably."""
        counts: Counter[str] = Counter()
        refused = {}
        outcomes = store.record_rows(records, now=self._now, consent_default=self._consent_default)
        for place, outcome in enumerate(outcomes):
            if outcome.status is EventStatus.REJECTED:
                refused[place] = Problem(outcome.message, "refused by the store while writing")
            else:
                counts["accepted" if outcome.status is EventStatus.ACCEPTED else "duplicates"] += 1
        return Written(counts, refused)
