"""What a store asks of the database that it lies in: SQLite's file or PostgreSQL's server."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from recommender.errors import StoreError
from recommender.store.connection import Connection
from recommender.store.dialect import Dialect

FREE = "free for reuse"
"""Of the sizes of a database, what is within the others and holds nothing."""


class Writer(Protocol):
    """The one connection of a process that writes, and how it waits its turn among the writers of all processes."""

    def turn(self) -> AbstractContextManager[Connection]:
        """A connection within a transaction that no other writer's overlaps, however long it takes to get there.

        Whoever leaves it without an error has committed. An error rolls back all that was not committed. Raises `StoreError`
        and the database's errors.
        """
        ...

    def wrote(self, rows: int) -> None:
        """Take note that `rows` were committed in the turn that is just ending."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Database(Protocol):
    """Where a store lies."""

    @property
    def name(self) -> str:
        """How messages call it; holds no password."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How statements are to be written where that differs."""
        ...

    @property
    def errors(self) -> type[Exception]:
        """The root of the driver's errors."""
        ...

    def meaning(self, error: Exception) -> StoreError:
        """What one of the driver's errors means to a caller of the store."""
        ...

    def exists(self) -> bool:
        """Whether there is a store, or something else in the place of one. Raises `StoreError` where that cannot be found out."""
        ...

    def version(self) -> str | None:
        """The schema version of the store, None where it has none yet. Raises `SchemaMismatch` where another program's tables are there."""
        ...

    def migrate(self) -> None:
        """Make the store where there is none, or bring its schema up to date; see `migrate_store`."""
        ...

    def connect(self) -> Connection:
        """A connection for reading only, outside of any transaction. Raises `StoreError`."""
        ...

    def writer(self) -> Writer:
        """A writer of this process, not connected yet."""
        ...

    def sizes(self) -> list[tuple[str, int]]:
        """What takes room, and how many bytes of it; `FREE` counts what the others hold already."""
        ...
