"""Bringing a schema up to date, with alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recommender.errors import SchemaMismatch
from recommender.store.schema import SCHEMA_VERSION

SCRIPTS = Path(__file__).with_name("migrations")


def upgrade(url: str, connection: Any, name: str, version: str | None, *, begin: str) -> None:
    """Apply all newer versions on the driver's `connection`, in one transaction, of which `begin` is the first statement.

    `url`: what SQLAlchemy calls the driver. `name` and `version`: of the store, for messages. Raises `SchemaMismatch` where there is no
    way from `version`, and the driver's errors.
    """
    # Imported here and nowhere else: a server opens a store that is up to date without paying for alembic and SQLAlchemy.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # ConfigParser reads % as the start of an interpolation.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    engine = sqlalchemy.create_engine(url, creator=lambda: connection, poolclass=sqlalchemy.StaticPool)
    sqlalchemy.event.listen(engine, "begin", lambda begun: begun.exec_driver_sql(begin))
    try:
        with engine.begin() as bound:
            config.attributes["connection"] = bound
            command.upgrade(config, "head")
    except sqlalchemy.exc.DBAPIError as error:
        if error.orig is None:
            raise
        raise error.orig from error
    except CommandError as error:
        raise SchemaMismatch(f"{name} has schema {version}, which cannot be brought up to {SCHEMA_VERSION}: {error}") from error
