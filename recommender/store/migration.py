"""Making a store and bringing an older one up to date, with alembic."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from recommender.durable_files import sync
from recommender.errors import SchemaMismatch, StoreUnwritable
from recommender.store.connection import connect, store_error
from recommender.store.filelock import LOCK_TIMEOUT_S, FileLock
from recommender.store.schema import SCHEMA_VERSION, check_not_newer, stored_version

SCRIPTS = Path(__file__).with_name("migrations")


def migrate_store(path: Path) -> str:
    """Make the store at `path`, with its folder, or bring its schema up to date; returns the schema version it has then.

    All steps together are one transaction: a migration that fails or is killed leaves the store as it was. Several processes
    may do this at once. A new file is readable and writable by its owner only, as it holds what people did and the token
    keys. Raises `SchemaMismatch` where the file's schema is newer or the file is another program's, `StoreUnwritable` where
    folder or file cannot be written, and `StoreBusy` where another process holds the lock for 30 seconds.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be made: {error.strerror}") from error
    lock = FileLock(path)
    try:
        with lock.held_within(LOCK_TIMEOUT_S):
            _migrate(path)
    finally:
        lock.close()
    return SCHEMA_VERSION


def _migrate(path: Path) -> None:
    connection = connect(path, writer=True)
    try:
        version = stored_version(connection, path)
        check_not_newer(version, path)
        if version == SCHEMA_VERSION:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        _upgrade(connection, version, path)
        # The new file's name, too.
        sync(path.parent)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    finally:
        connection.close()


def _upgrade(connection: sqlite3.Connection, version: str | None, path: Path) -> None:
    # Imported here and nowhere else: a server opens a store that is up to date without paying for alembic and SQLAlchemy.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # ConfigParser reads % as the start of an interpolation.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool)
    # The connection is in autocommit mode, so that the transaction is begun here and holds the schema's statements as well.
    sqlalchemy.event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as bound:
            config.attributes["connection"] = bound
            command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise error.orig from error
        raise
    except CommandError as error:
        raise SchemaMismatch(f"{path} has schema {version}, which cannot be brought up to {SCHEMA_VERSION}: {error}") from error
