"""Day partitions: events and served records lie in one table per UTC day, so that retention drops tables instead of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache

from recommender.errors import InvalidInput, StoreError
from recommender.store.connection import Connection, Readers, Row
from recommender.times import DAY_US, to_micros

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_US = (date.min.toordinal() - _EPOCH_ORDINAL) * DAY_US
_END_US = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * DAY_US

_EVENTS = """
    CREATE TABLE IF NOT EXISTS events_{day} (
        sequence {type.integer} NOT NULL PRIMARY KEY,
        key {type.blob} NOT NULL UNIQUE,
        id TEXT NOT NULL,
        person {type.integer} NOT NULL,
        item {type.integer} NOT NULL,
        type {type.integer} NOT NULL,
        value {type.real},
        portion {type.real},
        dwell_s {type.real},
        at {type.integer} NOT NULL,
        consent {type.integer} NOT NULL,
        custom TEXT,
        token TEXT,
        context TEXT
    )
"""
_DECISIONS = """
    CREATE TABLE IF NOT EXISTS decisions_{day} (
        id {type.blob} NOT NULL PRIMARY KEY,
        at {type.integer} NOT NULL,
        subject_kind {type.integer},
        subject_id TEXT,
        placement TEXT NOT NULL,
        placement_version TEXT NOT NULL,
        generation_id TEXT NOT NULL,
        profile TEXT NOT NULL,
        basis {type.integer} NOT NULL,
        seed {type.integer} NOT NULL,
        change {type.integer} NOT NULL,
        query {type.blob} NOT NULL,
        numbers {type.blob} NOT NULL,
        sources {type.blob} NOT NULL,
        probabilities {type.blob} NOT NULL
    )
"""


def storable_micros(moment: datetime, field: str) -> int:
    """Microseconds since 1970 of `moment`. Raises `InvalidInput` where its UTC day lies outside the years 1 to 9999."""
    micros = to_micros(moment)
    if not _FIRST_US <= micros < _END_US:
        raise InvalidInput(field, moment.isoformat(), "a time between the years 1 and 9999 in UTC")
    return micros


def day_of(micros: int) -> str:
    """The UTC day, as YYYYMMDD, of a moment in µs since 1970; days compare as text."""
    return _day_text_after(micros // DAY_US)


@lru_cache(maxsize=4_096)
def _day_text_after(days: int) -> str:
    return day_text(date.fromordinal(_EPOCH_ORDINAL + days))


def day_text(day: date) -> str:
    """`day` as YYYYMMDD, with four digits of year from the year 1 on."""
    return day.isoformat().replace("-", "")


def date_of(day: str) -> date:
    """The date that YYYYMMDD stands for."""
    return date(int(day[:4]), int(day[4:6]), int(day[6:]))


def make_events(connection: Connection, day: str) -> None:
    """Make the table of the events of `day` unless it is there."""
    connection.execute(_EVENTS.format(day=day, type=connection.dialect))


def make_decisions(connection: Connection, day: str) -> None:
    """Make the table of the served records of `day` unless it is there."""
    connection.execute(_DECISIONS.format(day=day, type=connection.dialect))


def rows_of_day(readers: Readers, listed: str, day: str, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
    """All rows of one statement about the table of `day`, which the table `listed` names; none where it has been dropped meanwhile.

    Raises `StoreError`.
    """
    try:
        return readers.all(sql, parameters)
    except StoreError:
        if readers.one(f"SELECT 1 FROM {listed} WHERE day = ?", (day,)) is None:
            return []
        raise
