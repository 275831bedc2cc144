"""The keys that tokens are signed with, where the settings name none."""

from __future__ import annotations

import secrets

from recommender.store.connection import Connection, Readers

SECRET_BYTES = 32

_NEWEST_FIRST = "SELECT id, secret FROM token_keys ORDER BY position DESC"


def read(readers: Readers) -> list[tuple[str, bytes]]:
    """The keys, newest first."""
    return [(key_id, secret) for key_id, secret in readers.all(_NEWEST_FIRST)]


def ensure(connection: Connection) -> list[tuple[str, bytes]]:
    """The keys, newest first; makes the first one unless another process just has."""
    if connection.execute("SELECT 1 FROM token_keys").fetchone() is None:
        connection.execute("INSERT INTO token_keys (id, secret) VALUES (?, ?)", (secrets.token_hex(4), secrets.token_bytes(SECRET_BYTES)))
    return [(key_id, secret) for key_id, secret in connection.execute(_NEWEST_FIRST)]
