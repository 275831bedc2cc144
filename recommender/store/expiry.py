"""What the store holds by day, and letting whole days go: one table at a time, in a transaction of its own.

Dropping a table costs about a tenth of what emptying it would, and a second process that writes waits for one table at the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from recommender.store import forgetting
from recommender.store.committer import GROUP_WEIGHT, Committer
from recommender.store.connection import Connection, Readers, Row
from recommender.store.forgetting import Quiet
from recommender.store.partitions import date_of, day_text, rows_of_day

FIRST_KEPT = "events_from"
"""The counter that holds the first UTC day, as the number YYYYMMDD, whose events are kept; none or 0 where all are."""

SAMPLE = 1_000
"""Rows by whose length the others' is guessed, of each table."""

_READ_FIRST_KEPT = f"SELECT value FROM counters WHERE name = '{FIRST_KEPT}'"
_SET_FIRST_KEPT = f"INSERT INTO counters (name, value) VALUES ('{FIRST_KEPT}', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class DayRows(NamedTuple):
    """A UTC day and how many rows there are of it."""

    day: date
    rows: int


@dataclass(frozen=True)
class _ByDay:
    """Tables by day: their names' beginning, the list of them, the columns whose length varies, and the bytes of all else with the
    indexes of a row."""

    prefix: str
    listed: str
    varying: tuple[str, ...]
    fixed: int

    def table(self, day: date) -> str:
        return f"{self.prefix}_{day_text(day)}"

    def days(self, readers: Readers) -> list[DayRows]:
        return [DayRows(date_of(day), rows) for day, rows in readers.all(f"SELECT day, rows FROM {self.listed} ORDER BY day")]

    def row_bytes(self, readers: Readers, day: date) -> float:
        columns = ", ".join(self.varying)
        lengths = " + ".join(f"coalesce(length({column}), 0)" for column in self.varying)
        sql = f"SELECT CAST(avg({lengths}) AS DOUBLE PRECISION) FROM (SELECT {columns} FROM {{}} LIMIT {SAMPLE}) AS sampled"
        rows = rows_of_day(readers, self.listed, day_text(day), sql.format(self.table(day)))
        return self.fixed + readers.dialect.row_bytes + float(rows[0][0] or 0) if rows else 0.0

    def drop(self, connection: Connection, day: date) -> int:
        """Drop the table of `day`; how many rows it had, 0 where there was none."""
        row: Row | None = connection.execute(f"SELECT rows FROM {self.listed} WHERE day = ?", (day_text(day),)).fetchone()
        if row is None:
            return 0
        for statement in connection.dialect.before_dropping:
            connection.execute(statement)
        connection.execute(f"DROP TABLE {self.table(day)}")
        connection.execute(f"DELETE FROM {self.listed} WHERE day = ?", (day_text(day),))
        for statement in connection.dialect.after_dropping:
            connection.execute(statement)
        return int(row[0])


_EVENTS = _ByDay("events", "event_partitions", ("id", "custom", "token", "context"), 90)
_DECISIONS = _ByDay(
    "decisions",
    "decision_partitions",
    ("subject_id", "placement", "placement_version", "generation_id", "profile", "query", "numbers", "sources", "probabilities"),
    80,
)


class Expiry:
    """What goes by age, of one store. Every write is short, whole or not done at all, and may be repeated.

    Writes raise what those of `Store` raise; `drop_events` and `drop_decisions` also `StoreBusy` where a reader has been at the table for
    longer than a moment.
    """

    def __init__(self, readers: Readers, committer: Committer) -> None:
        self._readers = readers
        self._committer = committer

    def event_days(self) -> list[DayRows]:
        """The days of which there are events, oldest first."""
        return _EVENTS.days(self._readers)

    def decision_days(self) -> list[DayRows]:
        """The days of which there are served records, oldest first."""
        return _DECISIONS.days(self._readers)

    def event_bytes(self, days: Sequence[DayRows]) -> int:
        """About how many bytes the events of `days` take."""
        return round(sum(day.rows * _EVENTS.row_bytes(self._readers, day.day) for day in days))

    def decision_bytes(self, days: Sequence[DayRows]) -> int:
        """About how many bytes the served records of `days` take."""
        return round(sum(day.rows * _DECISIONS.row_bytes(self._readers, day.day) for day in days))

    def first_kept(self) -> date | None:
        """The first day whose events are taken; None where those of all days are."""
        row = self._readers.one(_READ_FIRST_KEPT)
        return date_of(f"{row[0]:08}") if row and row[0] else None

    def keep_events_from(self, day: date | None) -> None:
        """Have the store reject events of before `day` from now on, of none where it is None.

        What was dropped can be recognised no more, so that an event which comes again would count twice.
        """
        value = 0 if day is None else int(day_text(day))
        self._committer.run(lambda connection: connection.execute(_SET_FIRST_KEPT, (value,)).rowcount, weight=1)

    def drop_events(self, day: date) -> int:
        """Drop the events of `day`: how many there were. People's state stays as it is."""
        return self._committer.run(lambda connection: _EVENTS.drop(connection, day), weight=GROUP_WEIGHT)

    def drop_decisions(self, day: date) -> int:
        """Drop the served records of `day`: how many there were."""
        return self._committer.run(lambda connection: _DECISIONS.drop(connection, day), weight=GROUP_WEIGHT)

    def quiet_sessions(self, since: date, *, events_from: date | None) -> Quiet:
        """The sessions of which there is nothing on `since` or any later day, for `forget`; see `forgetting.quiet`."""
        return forgetting.quiet(self._readers, since, events_from)

    def forget(self, quiet: Quiet, numbers: Sequence[int]) -> int:
        """Remove those of `quiet` who have these `numbers`, one of its parts, and are quiet still: how many that were."""
        return self._committer.run(lambda connection: forgetting.forget(connection, quiet, numbers), weight=GROUP_WEIGHT)


def first_kept_day(connection: Connection) -> str:
    """The first day, as YYYYMMDD, whose events are taken; "" where those of all days are."""
    row = connection.execute(_READ_FIRST_KEPT).fetchone()
    return f"{row[0]:08}" if row and row[0] else ""
