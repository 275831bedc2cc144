"""Item numbers by id as the writer remembers them, since an item's row is long and events come on the same items again and again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from recommender.store.connection import Connection
from recommender.store.in_lists import executing
from recommender.store.item_reading import numbers

REMEMBERED = 131_072
"""Ids remembered, at most, about 20 MB of them; one call may bring more."""

_NEWEST_CHANGE = "SELECT max(change) FROM items"


class ItemNumbers:
    """Numbers that one connection has read since the catalogue last changed; to be used within a writing transaction.

    Another connection begins anew: what this one has read may have been rolled back.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._change: int | None = None
        self._numbers: dict[str, int] = {}

    def numbers(self, connection: Connection, item_ids: Collection[str]) -> Mapping[str, int]:
        """Numbers by id, of at least those of `item_ids` that an undeleted item has, and of undeleted items only."""
        (change,) = connection.execute(_NEWEST_CHANGE).fetchone()
        if connection is not self._connection or change != self._change:
            self._connection, self._change, self._numbers = connection, change, {}
        unread = [item_id for item_id in item_ids if item_id not in self._numbers]
        if unread:
            if len(self._numbers) + len(unread) > REMEMBERED:
                self._numbers = {}
                unread = list(item_ids)
            self._numbers.update(numbers(executing(connection), unread))
        return self._numbers
