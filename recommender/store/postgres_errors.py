"""What PostgreSQL's errors mean to a caller of the store."""

from __future__ import annotations

import psycopg

from recommender.errors import StoreBusy, StoreError, StoreUnwritable

SHOWN = 300
"""Characters of the server's words that a message quotes, at most."""

_FULL = {"53100", "58030"}
"""disk_full, io_error."""
_WRITABLE = "?target_session_attrs=read-write"
_READ_ONLY = "25006"
"""read_only_sql_transaction: a server that follows another one."""
_BUSY = {"55P03", "57014", "40001", "40P01"}
"""lock_not_available, query_canceled, serialization_failure, deadlock_detected."""
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03"}
"""admin_shutdown, crash_shutdown, cannot_connect_now, and sessions that were ended for being idle."""


def store_error(error: psycopg.Error, name: str, password: str) -> StoreError:
    """What `error` of the store `name` means; the `password`, if any, is not shown."""
    why = told(error, password)
    code = error.sqlstate or ""
    if code in _FULL:
        return StoreUnwritable(f"{name} cannot be written ({why}): its disk is full or failing; what was acknowledged before is safe")
    if code == _READ_ONLY:
        return StoreUnwritable(f"{name} cannot be written ({why}): name a server that takes writes, or end the URL with {_WRITABLE}")
    if code in _BUSY:
        return StoreBusy(f"{name} has been in use by others for too long ({why}); try again")
    if code in _GONE or code.startswith("08") or (not code and isinstance(error, psycopg.OperationalError)):
        return StoreError(
            f"{name} cannot be reached ({why}); what was acknowledged before is safe, and what was not may be sent again: it counts once"
        )
    return StoreError(f"{name}: {why}")


def told(error: psycopg.Error, password: str) -> str:
    """The server's or the driver's words, in one line, without details, which quote values."""
    words = " ".join((error.diag.message_primary or str(error)).split())
    if password:
        words = words.replace(password, "***")
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"
