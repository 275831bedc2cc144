"""The URL of a PostgreSQL database, which is a secret: what of it may be shown, and what is said where it cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.errors import InvalidInput

SCHEME = "postgresql://"


def shown_url(parameters: Mapping[str, Any]) -> str:
    """The URL with user, host, port and database alone: any other parameter may be a secret."""
    user, host, port, database = (str(parameters.get(part) or "") for part in ("user", "host", "port", "dbname"))
    return f"{SCHEME}{user}{'@' if user else ''}{host}{':' if port else ''}{port}/{database}"


def unreadable() -> InvalidInput:
    """The refusal of a URL, which does not quote it."""
    allowed = f"{SCHEME}user:password@host:port/name, with all but letters and digits of user and password written as %40 and the like"
    return InvalidInput("store", "a URL that cannot be read and is not shown, since it may hold a password", allowed)
