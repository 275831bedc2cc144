"""Day partitions: events and served records lie in one table per UTC day, so that retention drops tables instead of rows."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from functools import lru_cache

from recommender.errors import InvalidInput
from recommender.times import DAY_US, to_micros

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_US = (date.min.toordinal() - _EPOCH_ORDINAL) * DAY_US
_END_US = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * DAY_US

_EVENTS = """
    CREATE TABLE IF NOT EXISTS events_{day} (
        sequence INTEGER NOT NULL PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        id TEXT NOT NULL,
        person INTEGER NOT NULL,
        item INTEGER NOT NULL,
        type INTEGER NOT NULL,
        value REAL,
        portion REAL,
        dwell_s REAL,
        at INTEGER NOT NULL,
        consent INTEGER NOT NULL,
        custom TEXT,
        token TEXT,
        context TEXT
    )
"""
_DECISIONS = """
    CREATE TABLE IF NOT EXISTS decisions_{day} (
        id BLOB NOT NULL PRIMARY KEY,
        at INTEGER NOT NULL,
        subject_kind INTEGER,
        subject_id TEXT,
        placement TEXT NOT NULL,
        placement_version TEXT NOT NULL,
        generation_id TEXT NOT NULL,
        profile TEXT NOT NULL,
        basis INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        change INTEGER NOT NULL,
        query BLOB NOT NULL,
        numbers BLOB NOT NULL,
        sources BLOB NOT NULL,
        probabilities BLOB NOT NULL
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


def make_events(connection: sqlite3.Connection, day: str) -> None:
    """Make the table of the events of `day` unless it is there."""
    connection.execute(_EVENTS.format(day=day))


def make_decisions(connection: sqlite3.Connection, day: str) -> None:
    """Make the table of the served records of `day` unless it is there."""
    connection.execute(_DECISIONS.format(day=day))
