"""The third schema: leases, by which those who write to an object store take turns."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INTEGER = {"sqlite": "INTEGER", "postgresql": "BIGINT"}
NAME = {"sqlite": "TEXT", "postgresql": 'TEXT COLLATE "C"'}

STATEMENT = """
    CREATE TABLE leases (
        name {name} NOT NULL PRIMARY KEY,
        fence {integer} NOT NULL CHECK (fence > 0),
        owner TEXT NOT NULL,
        purpose TEXT NOT NULL,
        until {integer} NOT NULL
    )
"""
"""`until`: µs since 1970, 0 once it was given back. The row stays, since a fence must never be given out again."""


def upgrade() -> None:
    """Make the table."""
    dialect = op.get_bind().dialect.name
    op.execute(STATEMENT.format(name=NAME[dialect], integer=INTEGER[dialect]))
