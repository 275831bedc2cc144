"""Connections to PostgreSQL that are used as the store uses sqlite3's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.numeric import Int8BinaryDumper

from recommender.store.dialect import POSTGRESQL

STATEMENTS = 512
"""Statements that the server keeps prepared for each connection, at most: every length of a list of values is another one."""

Driver = psycopg.Connection[TupleRow]
Connect = Callable[[], Driver]


class PostgresConnection:
    """A connection of the driver in autocommit mode, with ? for each parameter."""

    dialect = POSTGRESQL

    def __init__(self, driver: Driver) -> None:
        self._take(driver)

    def _take(self, driver: Driver) -> None:
        self._driver = driver
        driver.prepared_max = STATEMENTS
        # By default the driver tells numbers apart by their size, and the server would prepare a statement for each combination.
        driver.adapters.register_dumper(int, Int8BinaryDumper)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun and neither ended nor been lost."""
        return self._driver.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def lost(self) -> bool:
        """Whether the connection is closed or cut."""
        return self._driver.closed

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[TupleRow]:
        """Execute one statement."""
        return self._driver.execute(_marked(sql), parameters or None, binary=True)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> psycopg.Cursor[TupleRow]:
        """Execute one statement with each of `parameters`, without waiting for one after the other."""
        cursor = self._driver.cursor()
        if parameters:
            cursor.executemany(_marked(sql), parameters)
        return cursor

    def script(self, sql: str) -> None:
        """Execute several statements without parameters, in one round trip."""
        self._driver.execute(sql.encode())

    def with_transactions(self) -> Driver:
        """The driver's connection, which begins a transaction with the next statement, as SQLAlchemy expects of it."""
        self._driver.autocommit = False
        return self._driver

    def commit(self) -> None:
        """Commit the transaction."""
        if self._driver.execute(b"COMMIT").statusmessage != "COMMIT":
            # The server answers so, and raises nothing, where the transaction had failed before.
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed, and was rolled back")

    def close(self) -> None:
        """Close it; the server rolls back what was not committed."""
        self._driver.close()


class ReadingConnection(PostgresConnection):
    """Connects anew where it finds itself cut, and executes the statement there: reading twice changes nothing.

    A server that was started anew, or a firewall that forgets idle connections, is not noticed that way.
    """

    def __init__(self, connect: Connect) -> None:
        super().__init__(connect())
        self._connect = connect
        self._ended = False

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> psycopg.Cursor[TupleRow]:
        """Execute one statement."""
        try:
            return super().execute(sql, parameters)
        except psycopg.Error:
            if self._ended or not self.lost:
                raise
        self._take(self._connect())
        if self._ended:
            self._driver.close()
        return super().execute(sql, parameters)

    def close(self) -> None:
        """Close it for good."""
        self._ended = True
        super().close()


@lru_cache(maxsize=8_192)
def _marked(sql: str) -> bytes:
    """`sql` with the driver's marks for parameters. No statement of the store holds ? or % for anything else."""
    return sql.replace("?", "%s").encode()
