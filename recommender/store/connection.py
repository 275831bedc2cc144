"""Connections to the SQLite file: how they are set up, one reader per thread, and what SQLite's errors mean here."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recommender.errors import StoreBusy, StoreError, StoreUnwritable

BUSY_TIMEOUT_S = 30.0
WRITER_CACHE_KIB, READER_CACHE_KIB = 16_384, 1_024
"""What each connection keeps of the file in memory of its own; the system keeps all that it has room for, for all of them."""
WAL_SIZE_LIMIT = 64 * 1024 * 1024

Row = tuple[Any, ...]

_UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


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


def connect(path: Path, *, writer: bool) -> sqlite3.Connection:
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
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error, path) from error
    return connection


@contextmanager
def closing_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection that is closed at the end; SQLite's errors inside become `StoreError`."""
    connection = connect(path, writer=False)
    try:
        yield connection
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    finally:
        connection.close()


class _Held:
    """A thread's connection; closed when its thread ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class Readers:
    """Reading connections to `path`, one per thread, opened when first used. Reads never wait for writers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._closed = False

    def all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of one statement. Raises `StoreError`."""
        try:
            return self._connection().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._meaning(error) from error

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of one statement, None where there is none. Raises `StoreError`."""
        try:
            row: Row | None = self._connection().execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        return row

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            self._closed = True
            held = list(self._held)
        for each in held:
            each.connection.close()

    def _connection(self) -> sqlite3.Connection:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            with self._lock:
                if self._closed:
                    raise closed(self.path)
                held = _Held(connect(self.path, writer=False))
                self._held.add(held)
            self._local.held = held
        return held.connection

    def _meaning(self, error: sqlite3.Error) -> StoreError:
        return closed(self.path) if self._closed else store_error(error, self.path)


def closed(path: Path) -> StoreError:
    """What any use of a store after `close` raises."""
    return StoreError(f"{path} was closed; open it again")
