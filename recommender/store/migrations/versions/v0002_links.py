"""The second schema: who was linked to another person or merged into them."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INTEGER = {"sqlite": "INTEGER", "postgresql": "BIGINT"}

STATEMENTS = (
    # Who joined whom, by the change sequence, as it was told; chains are followed by whoever reads it. Events keep the number of who did
    # them, so that those up to a value of the sequence can always be read with the links up to it.
    """
    CREATE TABLE links (
        sequence {integer} NOT NULL PRIMARY KEY,
        person {integer} NOT NULL UNIQUE,
        same_as {integer} NOT NULL
    )
    """,
    # The number of the person whose state is this one's as well, at the end of the chain; then this row's own state is empty.
    "ALTER TABLE people ADD COLUMN same_as {integer}",
    "CREATE INDEX people_by_same_as ON people (same_as, kind) WHERE same_as IS NOT NULL",
)


def upgrade() -> None:
    """Make the table and the column."""
    integer = INTEGER[op.get_bind().dialect.name]
    for statement in STATEMENTS:
        op.execute(statement.format(integer=integer))
