"""The schema's version: which one this program reads and writes, and which one a store has. Plain SQL, so that opening needs no alembic."""

from __future__ import annotations

from collections.abc import Collection

from recommender.errors import SchemaMismatch
from recommender.store.connection import Connection

SCHEMA_VERSION = "0003"
"""The newest revision in `migrations/versions`; revisions are four digits, so they compare as text."""


def version_among(tables: Collection[str], connection: Connection, name: str) -> str | None:
    """The schema version of a database with these `tables`, None where there are none. Raises `SchemaMismatch` for another program's."""
    if not tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    if row is None or not (set(tables) == {"alembic_version"} or "counters" in tables):
        raise SchemaMismatch(f"{name} is a database, but not a store of this program; choose another one")
    return str(row[0])


def check_not_newer(version: str | None, name: str) -> None:
    """Raise `SchemaMismatch` where the store was written by a newer program: nothing here can read it safely."""
    if version is not None and version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{name} has schema {version}, newer than {SCHEMA_VERSION}, which is the newest that this program knows; "
            "upgrade content-recommender (recommender store migrate only goes forward)"
        )


def check_current(version: str | None, name: str) -> None:
    """Raise `SchemaMismatch` unless the store has exactly this program's schema."""
    check_not_newer(version, name)
    if version != SCHEMA_VERSION:
        had = "no schema yet" if version is None else f"schema {version}"
        raise SchemaMismatch(f"{name} has {had}, but this program needs {SCHEMA_VERSION}; run: recommender store migrate")
