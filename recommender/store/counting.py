"""The counters that give out sequence values and numbers, and how much the store holds."""

from __future__ import annotations

from typing import Literal

from recommender.errors import StoreError
from recommender.events import SubjectKind
from recommender.items import ItemState
from recommender.store.connection import Connection, Readers
from recommender.store.records import StoreCounts

# PostgreSQL's sums are decimals unless they are cast.
_EVENTS = "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM event_partitions"
_DECISIONS = "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM decision_partitions"

NUMBER_LIMIT = 2**32 - 1


def take(connection: Connection, counter: Literal["sequence", "item", "person"], n: int) -> range:
    """The next `n` values of `counter`, from 1 up, never given out again. Raises `StoreError` when numbers have run out."""
    (last,) = connection.execute("SELECT value FROM counters WHERE name = ?", (counter,)).fetchone()
    if counter != "sequence" and last + n > NUMBER_LIMIT:
        raise StoreError(f"all {NUMBER_LIMIT} {counter} numbers have been given out; {n} more are wanted")
    if n:
        connection.execute("UPDATE counters SET value = ? WHERE name = ?", (last + n, counter))
    return range(last + 1, last + n + 1)


def newest_sequence(readers: Readers) -> int:
    """The newest sequence value given out, 0 before the first."""
    row = readers.one("SELECT value FROM counters WHERE name = 'sequence'")
    return 0 if row is None else int(row[0])


def counts(readers: Readers) -> StoreCounts:
    """How much the store holds."""
    states: dict[int, int] = dict(readers.all(f"SELECT state, count(*) FROM items {readers.dialect.by_change} GROUP BY state"))
    kinds: dict[int, int] = dict(readers.all("SELECT kind, count(*) FROM people GROUP BY kind"))
    linked: dict[int, int] = dict(readers.all("SELECT kind, count(*) FROM people WHERE same_as IS NOT NULL GROUP BY kind"))
    (event_rows,) = readers.one(_EVENTS) or (0,)
    (decision_rows,) = readers.one(_DECISIONS) or (0,)
    return StoreCounts(
        items_live=states.get(ItemState.LIVE, 0),
        items_hidden=states.get(ItemState.HIDDEN, 0),
        items_deleted=states.get(ItemState.DELETED, 0),
        events=event_rows,
        users=kinds.get(SubjectKind.USER, 0) - linked.get(SubjectKind.USER, 0),
        sessions=kinds.get(SubjectKind.SESSION, 0) - linked.get(SubjectKind.SESSION, 0),
        decisions=decision_rows,
    )
