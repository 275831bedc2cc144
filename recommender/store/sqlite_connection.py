"""Connections to a SQLite file: how they are set up, and what SQLite's errors mean here."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from recommender.errors import StoreBusy, StoreError, StoreUnwritable
from recommender.store.dialect import SQLITE

BUSY_TIMEOUT_S = 30.0
WRITER_CACHE_KIB, READER_CACHE_KIB = 16_384, 1_024
"""What each connection keeps of the file in memory of its own; the system keeps all that it has room for, for all of them."""
WAL_SIZE_LIMIT = 64 * 1024 * 1024

_UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteConnection(sqlite3.Connection):
    """The driver's own connection, which says of itself what it speaks."""

    dialect = SQLITE


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """What `error` means to a caller of the store."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _UNWRITABLE:
        why = "the disk is full, read-only or failing"
        return StoreUnwritable(f"{path} cannot be written or opened ({error}): {why}; what was acknowledged before is safe")
    if primary in _BUSY:
        return StoreBusy(f"{path} has been in use by another writer for {BUSY_TIMEOUT_S:.0f} s ({error}); try again")
    return StoreError(f"{path}: {error}")


def connect(path: Path, *, writer: bool) -> SqliteConnection:
    """A connection to the existing file `path`, in autocommit mode. Raises `StoreError`.

    A `writer` syncs every commit to the disk before the commit returns; any other connection refuses to write.
    """
    try:
        # mode=rw: a file that has vanished is an error and not made anew, empty.
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=SqliteConnection,
        )
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        if writer:
            connection.execute("PRAGMA synchronous = FULL")
            # On macOS fsync alone leaves data in the drive's cache; elsewhere this changes nothing.
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT}")
            # Where SQLite was compiled to overwrite what is deleted, dropping a day would write all of it once more.
            connection.execute("PRAGMA secure_delete = FAST")
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    return connection
