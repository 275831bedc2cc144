"""The schema's version: which one this program reads and writes, and which one a file has. Plain SQL, so that opening needs no alembic."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from recommender.errors import SchemaMismatch

SCHEMA_VERSION = "0001"
"""The newest revision in `migrations/versions`; revisions are four digits, so they compare as text."""


def stored_version(connection: sqlite3.Connection, path: Path) -> str | None:
    """The schema version of the open file, None for an empty one. Raises `SchemaMismatch` for another program's database."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    if row is None or not (tables == {"alembic_version"} or "counters" in tables):
        raise SchemaMismatch(f"{path} is a database, but not a store of this program; choose another path")
    return str(row[0])


def check_not_newer(version: str | None, path: Path) -> None:
    """Raise `SchemaMismatch` where the file was written by a newer program: nothing here can read it safely."""
    if version is not None and version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{path} has schema {version}, newer than {SCHEMA_VERSION}, which is the newest that this program knows; "
            "upgrade content-recommender (recommender store migrate only goes forward)"
        )


def check_current(version: str | None, path: Path) -> None:
    """Raise `SchemaMismatch` unless the file has exactly this program's schema."""
    check_not_newer(version, path)
    if version != SCHEMA_VERSION:
        had = "no schema yet" if version is None else f"schema {version}"
        raise SchemaMismatch(f"{path} has {had}, but this program needs {SCHEMA_VERSION}; run: recommender store migrate")
