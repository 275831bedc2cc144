"""A store in a PostgreSQL database: how connections are set up, and how writers take turns. Needs the driver psycopg."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from recommender.errors import SchemaMismatch, StoreError
from recommender.store.dialect import POSTGRESQL
from recommender.store.filelock import LOCK_TIMEOUT_S
from recommender.store.migration import upgrade
from recommender.store.postgres_connection import Driver, PostgresConnection, ReadingConnection
from recommender.store.postgres_errors import store_error
from recommender.store.postgres_url import shown_url, unreadable
from recommender.store.schema import SCHEMA_VERSION, check_not_newer, version_among

log = logging.getLogger(__name__)

OLDEST_SERVER = 14
"""The oldest major version that the PostgreSQL project still mends."""

DEFAULTS: Mapping[str, str] = {
    "application_name": "content-recommender",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Of a connection, unless the URL says otherwise: a server that has vanished is noticed within a minute, and not after two hours."""

_READS = f"SET default_transaction_read_only = on; SET lock_timeout = '{LOCK_TIMEOUT_S:.0f}s'"

# What a commit returns from is on the disk, also where the server's own setting is weaker. A writer that stops or vanishes in the midst
# of its turn loses it after a minute, so that the others go on; what it did until then is rolled back.
_WRITES = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3
"""

# The row is locked until the commit. So transactions with values of the sequence come one after the other, and whoever sees a value sees
# all that are smaller.
TURN = "SELECT value FROM counters WHERE name = 'sequence' FOR UPDATE"

# Whatever is the server's default: each statement of a turn has to see what the turns before it have committed.
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; {TURN}"

_MIGRATING = 0x7265636F6D6D656E
"""The advisory lock of who makes or upgrades a store in the database."""

_TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
_SIZE = """
    SELECT CAST(coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) AS BIGINT)
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind = 'r'
"""


class PostgresDatabase:
    """The database that connection parameters lead to. Its tables lie in the first schema of the search path."""

    dialect = POSTGRESQL
    errors: type[Exception] = psycopg.Error

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._conninfo = make_conninfo(**{**DEFAULTS, **parameters})
        self._password = str(parameters.get("password") or "")
        self.name = shown_url(parameters)

    @classmethod
    def at(cls, url: str) -> PostgresDatabase:
        """The database at `url`. Raises `InvalidInput`, which does not show it, where it cannot be read."""
        try:
            parameters = conninfo_to_dict(url)
        except psycopg.Error:
            # Not as its cause: it quotes the URL.
            raise unreadable() from None
        # A sign of the password that should have been encoded ends up here.
        parts = [str(parameters.get(part) or "") for part in ("user", "host", "port", "dbname")]
        if any("@" in part for part in parts[1:]) or not all(port.isdigit() for port in parts[2].split(",") if port):
            raise unreadable()
        return cls(parameters)

    def meaning(self, error: Exception) -> StoreError:
        """What an error of psycopg means to a caller of the store."""
        assert isinstance(error, psycopg.Error)
        return store_error(error, self.name, self._password)

    def exists(self) -> bool:
        """Whether there are tables."""
        with self._looking() as connection:
            return bool(_tables(connection))

    def version(self) -> str | None:
        """The schema version, None without tables. Raises `SchemaMismatch` where another program's are there."""
        with self._looking() as connection:
            return version_among(_tables(connection), connection, self.name)

    def migrate(self) -> None:
        """Make the tables, or bring their schema up to date; see `migrate_store`."""
        connection = self.writing()
        try:
            self._check_server(connection)
            # Of the session, since SQLAlchemy rolls back once before it begins; freed when the connection is closed.
            connection.script(f"SET lock_timeout = '{LOCK_TIMEOUT_S:.0f}s'; SELECT pg_advisory_lock({_MIGRATING})")
            version = version_among(_tables(connection), connection, self.name)
            check_not_newer(version, self.name)
            if version == SCHEMA_VERSION:
                return
            # A store that is there is upgraded in a turn of its own, between those of its writers.
            begin = "SELECT 1" if version is None else TURN
            upgrade("postgresql+psycopg://", connection.with_transactions(), self.name, version, begin=begin)
        except psycopg.Error as error:
            raise self.meaning(error) from error
        finally:
            connection.close()

    def connect(self) -> ReadingConnection:
        """A connection that refuses to write, and connects anew where it was cut. Raises `StoreError`."""
        try:
            return ReadingConnection(lambda: self._driver(_READS))
        except psycopg.Error as error:
            raise self.meaning(error) from error

    def writer(self) -> PostgresWriter:
        """A writer of this process, not connected yet."""
        return PostgresWriter(self)

    def writing(self) -> PostgresConnection:
        """A connection whose commits are on the server's disk before they return. Raises `StoreError`."""
        try:
            return PostgresConnection(self._driver(_WRITES))
        except psycopg.Error as error:
            raise self.meaning(error) from error

    def sizes(self) -> list[tuple[str, int]]:
        """The bytes of all tables of the schema, with their indexes."""
        with self._looking() as connection:
            (size,) = connection.execute(_SIZE).fetchone() or (0,)
        return [("size", size)]

    def _driver(self, setting_up: str) -> Driver:
        driver = psycopg.connect(self._conninfo, autocommit=True)
        try:
            driver.execute(setting_up.encode())
        except BaseException:
            driver.close()
            raise
        return driver

    @contextmanager
    def _looking(self) -> Iterator[PostgresConnection]:
        """A reading connection that is closed at the end; psycopg's errors inside become `StoreError`."""
        connection = self.connect()
        try:
            yield connection
        except psycopg.Error as error:
            raise self.meaning(error) from error
        finally:
            connection.close()

    def _check_server(self, connection: PostgresConnection) -> None:
        version = connection.execute("SHOW server_version_num").fetchone()
        encoding = connection.execute("SHOW server_encoding").fetchone()
        if version is not None and int(version[0]) < OLDEST_SERVER * 10_000:
            raise SchemaMismatch(f"{self.name} is PostgreSQL {int(version[0]) // 10_000}; needed is {OLDEST_SERVER} or newer")
        if encoding is not None and encoding[0] != "UTF8":
            raise SchemaMismatch(f"{self.name} has the encoding {encoding[0]}; needed is a database made with ENCODING 'UTF8'")


class PostgresWriter:
    """Queues on the row of the change sequence, which the server locks for one transaction at a time."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: PostgresConnection | None = None
        self._asked = False

    @contextmanager
    def turn(self) -> Iterator[PostgresConnection]:
        """A transaction of this process's own."""
        try:
            connection = self._begun()
            yield connection
        except BaseException:
            self.close()
            raise

    def wrote(self, rows: int) -> None:
        """Nothing is left to do: the server makes its checkpoints by itself."""

    def close(self) -> None:
        """Roll back by closing: the next turn is on a fresh connection, whatever state this one was in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begun(self) -> PostgresConnection:
        kept = self._connection
        if kept is not None:
            try:
                kept.script(_BEGIN)
                return kept
            except psycopg.Error:
                if not kept.lost:
                    raise
                # It was cut while it was idle, and nothing had been begun on it.
                self.close()
        self._connection = self._database.writing()
        self._ask_for_sync(self._connection)
        self._connection.script(_BEGIN)
        return self._connection

    def _ask_for_sync(self, connection: PostgresConnection) -> None:
        if not self._asked and connection.execute("SHOW fsync").fetchone() == ("off",):
            told = "%s runs with fsync off: when its machine fails, what was acknowledged may be lost, and all else with it"
            log.warning(told, self._database.name)
        self._asked = True


def _tables(connection: PostgresConnection) -> set[str]:
    return {name for (name,) in connection.execute(_TABLES)}
