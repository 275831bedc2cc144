"""A store's tables as tests look at them, beside the store and whichever database they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from recommender.store.connection import Connection
from recommender.store.places import database_at
from recommender.store.postgres import PostgresDatabase
from recommender.store.sqlite import SqliteDatabase
from recommender.store.sqlite_connection import connect

Place = Path | str
"""The path of a SQLite file, or the URL of a PostgreSQL database."""

SQLITE_ONLY = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
POSTGRES_ONLY = pytest.mark.parametrize("backend", ["postgres"], indirect=True)


def connected(place: Place) -> Connection:
    """A connection that may write."""
    database = database_at(place)
    if isinstance(database, PostgresDatabase):
        return database.writing()
    assert isinstance(database, SqliteDatabase)
    return connect(database.path, writer=True)


def rows(place: Place, sql: str, *parameters: object) -> list[Any]:
    """What a statement gives, or what it wrote where that is nothing."""
    with closing(connected(place)) as connection:
        cursor = connection.execute(sql, parameters)
        return cursor.fetchall() if sql.lstrip().startswith("SELECT") else []


def contents(place: Place) -> list[str]:
    """All that the database holds, in an order of its own."""
    with closing(connected(place)) as connection:
        if isinstance(place, Path):
            return list(connection.iterdump())  # type: ignore[attr-defined]
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return [f"{table} {row}" for (table,) in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()]


@contextmanager
def turn_taken(place: Place) -> Iterator[None]:
    """While it lasts no writer's turn comes."""
    writer = database_at(place).writer()
    with writer.turn() as connection:
        yield
        connection.commit()
    writer.close()
