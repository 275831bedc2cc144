"""A store in a SQLite file: how connections are set up, how writers take turns, and what SQLite's errors mean here."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.durable_files import sync
from recommender.errors import StoreError, StoreUnwritable
from recommender.store.checkpointing import Checkpointer
from recommender.store.database import FREE
from recommender.store.dialect import SQLITE
from recommender.store.filelock import LOCK_TIMEOUT_S, FileLock
from recommender.store.migration import upgrade
from recommender.store.schema import SCHEMA_VERSION, check_not_newer, version_among
from recommender.store.sqlite_connection import SqliteConnection, connect, store_error


class SqliteDatabase:
    """The SQLite file at `path`."""

    dialect = SQLITE
    errors: type[Exception] = sqlite3.Error

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def meaning(self, error: Exception) -> StoreError:
        """What an error of sqlite3 means to a caller of the store."""
        assert isinstance(error, sqlite3.Error)
        return store_error(error, self.path)

    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.is_file()

    def version(self) -> str | None:
        """The schema version of the file, None for an empty one. Raises `SchemaMismatch` for another program's database."""
        connection = self.connect()
        try:
            return _version(connection, self.name)
        except sqlite3.Error as error:
            raise self.meaning(error) from error
        finally:
            connection.close()

    def migrate(self) -> None:
        """Make the file, with its folder and readable by its owner only, or bring its schema up to date; see `migrate_store`."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnwritable(f"{path} cannot be made: {error.strerror}") from error
        lock = FileLock(path)
        try:
            with lock.held_within(LOCK_TIMEOUT_S):
                self._migrate()
        finally:
            lock.close()

    def connect(self) -> SqliteConnection:
        """A connection that refuses to write. Raises `StoreError`."""
        return connect(self.path, writer=False)

    def writer(self) -> SqliteWriter:
        """A writer of this process, not connected yet."""
        return SqliteWriter(self.path)

    def sizes(self) -> list[tuple[str, int]]:
        """The bytes of the file, of its write-ahead log, and of the pages that hold nothing, such as those of days that have gone."""
        log = self.path.with_name(self.path.name + "-wal")
        sizes = [("size", _size(self.path)), ("write-ahead log", _size(log))]
        connection = self.connect()
        try:
            (free,), (page,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
        except sqlite3.Error as error:
            raise self.meaning(error) from error
        finally:
            connection.close()
        return [*sizes, (FREE, free * page)]

    def _migrate(self) -> None:
        connection = connect(self.path, writer=True)
        try:
            version = _version(connection, self.name)
            check_not_newer(version, self.name)
            if version == SCHEMA_VERSION:
                return
            connection.execute("PRAGMA journal_mode = WAL")
            # The connection is in autocommit mode, so that the transaction is begun here and holds the schema's statements as well.
            upgrade("sqlite://", connection, self.name, version, begin="BEGIN IMMEDIATE")
            # The new file's name, too.
            sync(self.path.parent)
        except sqlite3.Error as error:
            raise self.meaning(error) from error
        finally:
            connection.close()


class SqliteWriter:
    """Queues on the kernel's file lock, which is taken anew for each turn, instead of fighting for SQLite's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path)
        self._checkpointer = Checkpointer(path)
        self._connection: SqliteConnection | None = None

    @contextmanager
    def turn(self) -> Iterator[SqliteConnection]:
        """A transaction of this process's own."""
        with self._lock.held():
            try:
                connection = self._opened()
                self._checkpointer.catch_up(connection)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
            except BaseException:
                self._discard()
                raise

    def wrote(self, rows: int) -> None:
        """Have the rows carried over into the file in their time."""
        self._checkpointer.written(rows)

    def close(self) -> None:
        """Wait for a checkpoint that is being made, then close everything."""
        self._checkpointer.close()
        self._discard()
        self._lock.close()

    def _opened(self) -> SqliteConnection:
        if self._connection is None:
            self._connection = connect(self._path, writer=True)
            # Checkpoints are the checkpointer's, so that no caller waits for one.
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        return self._connection

    def _discard(self) -> None:
        """Roll back by closing: the next turn is on a fresh connection, whatever state this one was in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _version(connection: SqliteConnection, name: str) -> str | None:
    tables = {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return version_among(tables, connection, name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
