"""The first schema: items, people, token keys, and the lists of the day partitions of events and served records.

The partitions themselves are made when their first row comes; see `recommender/store/partitions.py`.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    # The newest value given out of each counter: the one change sequence, and the permanent numbers of items and people.
    """
    CREATE TABLE counters (
        name TEXT NOT NULL PRIMARY KEY,
        value INTEGER NOT NULL CHECK (value >= 0)
    ) WITHOUT ROWID
    """,
    "INSERT INTO counters (name, value) VALUES ('sequence', 0), ('item', 0), ('person', 0)",
    # Times are microseconds since 1970 in UTC. A deleted item keeps number, id, state and its changes; all else is blank.
    # `first_change` is when the item's present life began: the change that made it, or brought it back after its deletion.
    """
    CREATE TABLE items (
        number INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295),
        id TEXT NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        change INTEGER NOT NULL,
        first_change INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        digest BLOB NOT NULL,
        text_digest BLOB NOT NULL,
        kind INTEGER NOT NULL,
        published_at INTEGER,
        valid_from INTEGER,
        valid_to INTEGER,
        price REAL,
        language TEXT NOT NULL,
        author TEXT NOT NULL,
        brand TEXT NOT NULL,
        owner TEXT NOT NULL,
        image_url TEXT NOT NULL,
        categories TEXT NOT NULL,
        tags TEXT NOT NULL,
        attributes TEXT NOT NULL,
        title TEXT NOT NULL,
        embedding BLOB,
        text TEXT NOT NULL
    )
    """,
    # Holds all that a list of changes shows, so that it is read without touching the items themselves.
    "CREATE INDEX items_by_change ON items (change, state, first_change, valid_from, valid_to)",
    # `consent` is what was last said, at `consent_at`; `consent_floor` what everything ever said allows.
    """
    CREATE TABLE people (
        number INTEGER NOT NULL PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295),
        kind INTEGER NOT NULL,
        id TEXT NOT NULL,
        consent INTEGER NOT NULL,
        consent_at INTEGER NOT NULL,
        consent_floor INTEGER NOT NULL,
        history BLOB NOT NULL,
        consumed BLOB NOT NULL,
        dismissed BLOB NOT NULL,
        seen BLOB NOT NULL,
        UNIQUE (kind, id)
    )
    """,
    # `day` is YYYYMMDD in UTC.
    """
    CREATE TABLE event_partitions (
        day TEXT NOT NULL PRIMARY KEY,
        rows INTEGER NOT NULL,
        first_sequence INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE decision_partitions (
        day TEXT NOT NULL PRIMARY KEY,
        rows INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE token_keys (
        position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        secret BLOB NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
