"""Rows that go to a running server as events: checked here by all that a row alone tells, by the server for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from indexing.importing.rejects import Problem
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.schema import EVENTS
from indexing.importing.values import Values
from recommender.errors import InvalidInput
from recommender.events import Event


class LiveEvents:
    """A `Target` of events. Their times may lie `future_tolerance_s` seconds behind `now`; whether their items are there, and how late they
    may be, is the server's to say."""

    schema = EVENTS
    outcomes: tuple[str, ...] = ("accepted", "duplicates")
    latest_wins = False
    by_columns = False
    least_weight = 500

    def __init__(self, *, now: datetime, future_tolerance_s: float) -> None:
        self._latest = now + timedelta(seconds=future_tolerance_s)

    def record(self, values: Values, *, untyped: bool) -> Event:
        """See `Target`. A row without an id gets the one that every import makes of it, so that it counts once however it comes."""
        event = event_from_row(values)
        if event.at is not None and event.at > self._latest:
            raise InvalidInput("at", event.at.isoformat(), "a time that is not in the future")
        return event

    def records(self, batch: pa.RecordBatch, sources: Mapping[str, str], constants: Mapping[str, object]) -> list[Event | None]:
        """See `Target`."""
        return [None] * len(batch)

    def key(self, record: Event) -> str:
        """See `Target`."""
        return record.id

    def weight(self, record: Event) -> int:
        """See `Target`."""
        return self.least_weight + sum(len(name) + len(value) for name, value in record.context.items())

    def problems(self, records: Sequence[Event]) -> dict[int, Problem]:
        """See `Target`."""
        return {}
