"""Where a store lies: the path of a SQLite file, or the URL of a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from recommender.errors import StoreError
from recommender.store.database import Database
from recommender.store.postgres_url import SCHEME, unreadable
from recommender.store.schema import SCHEMA_VERSION
from recommender.store.sqlite import SqliteDatabase


def database_at(where: Path | str) -> Database:
    """The database at `where`. Raises `InvalidInput` for a URL that cannot be read, `StoreError` where its driver is missing."""
    if not isinstance(where, str) or "://" not in where:
        return SqliteDatabase(Path(where))
    if not where.startswith(SCHEME):
        raise unreadable()
    try:
        # Imported here and nowhere else: the driver is there only where it was asked for.
        from recommender.store.postgres import PostgresDatabase
    except ImportError as error:
        raise StoreError(
            f"a store on PostgreSQL needs the driver psycopg, which cannot be imported ({error}); "
            "install it with: pip install 'content-recommender[postgres]'"
        ) from error
    return PostgresDatabase.at(where)


def store_exists(where: Path | str) -> bool:
    """Whether there is something at `where` that `open_store` would open or refuse, rather than make anew."""
    return database_at(where).exists()


def migrate_store(where: Path | str) -> str:
    """Make the store at `where`, or bring its schema up to date; returns the schema version that it has then.

    All steps together are one transaction: a migration that fails or is killed leaves the store as it was. Several processes
    may do this at once. A new file comes with its folder, and is readable and writable by its owner only, as it holds what people did
    and the token keys; a database must be there. Raises `SchemaMismatch` where the schema is newer or the tables are another
    program's, `StoreUnwritable` where folder, file or database cannot be written, and `StoreBusy` where another process holds the lock
    for 30 seconds.
    """
    database_at(where).migrate()
    return SCHEMA_VERSION
