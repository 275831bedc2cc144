"""What the store asks of a connection, whichever database it leads to, and one connection for each thread that reads."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from recommender.errors import StoreError
from recommender.store.dialect import Dialect

if TYPE_CHECKING:
    from recommender.store.database import Database

Row = tuple[Any, ...]


class Cursor(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        ...

    def fetchone(self) -> Any:
        """The next row, None where there is no further one."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection in autocommit mode, with ? for each parameter of a statement. sqlite3's is one as it is."""

    @property
    def dialect(self) -> Dialect:
        """How its statements are to be written where that differs."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun and neither ended nor been lost."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Execute one statement."""
        ...

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Cursor:
        """Execute one statement with each of `parameters`, which may be none."""
        ...

    def commit(self) -> None:
        """Commit the transaction. Raises the driver's error where nothing of it was kept, or where that is not known."""
        ...

    def close(self) -> None:
        """Close it; what was not committed is rolled back. Closing twice is fine."""
        ...


class _Held:
    """A thread's connection; closed when its thread ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class Readers:
    """Reading connections to `database`, one per thread, opened when first used. Reads never wait for writers."""

    def __init__(self, database: Database) -> None:
        self.dialect = database.dialect
        self._database = database
        self._local = threading.local()
        self._lock = threading.Lock()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._closed = False

    def all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of one statement. Raises `StoreError`."""
        try:
            return self._connection().execute(sql, parameters).fetchall()
        except self._database.errors as error:
            raise self._meaning(error) from error

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of one statement, None where there is none. Raises `StoreError`."""
        try:
            row: Row | None = self._connection().execute(sql, parameters).fetchone()
        except self._database.errors as error:
            raise self._meaning(error) from error
        return row

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            self._closed = True
            held = list(self._held)
        for each in held:
            each.connection.close()

    def _connection(self) -> Connection:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            with self._lock:
                if self._closed:
                    raise closed(self._database.name)
                held = _Held(self._database.connect())
                self._held.add(held)
            self._local.held = held
        return held.connection

    def _meaning(self, error: Exception) -> StoreError:
        return closed(self._database.name) if self._closed else self._database.meaning(error)


def closed(name: str) -> StoreError:
    """What any use of a store after `close` raises."""
    return StoreError(f"{name} was closed; open it again")
