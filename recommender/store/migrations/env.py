"""Run by alembic: applies the versions on the connection, and within the transaction, that `migrate_store` gives it."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
