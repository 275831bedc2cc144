"""Reading the catalogue: by id, by number, from end to end, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recommender.items import ItemState
from recommender.store.connection import Readers
from recommender.store.in_lists import Execute, rows_in
from recommender.store.item_rows import READ_COLUMNS, stored_item
from recommender.store.records import Change, StoredItem
from recommender.times import MISSING_TIME

_DELETED = int(ItemState.DELETED)
_BY_ID = f"SELECT {READ_COLUMNS} FROM items WHERE state <> {_DELETED} AND id IN ({{}})"
_BY_NUMBER = f"SELECT {READ_COLUMNS} FROM items WHERE state <> {_DELETED} AND number IN ({{}})"
_NUMBERS = f"SELECT id, number FROM items WHERE state <> {_DELETED} AND id IN ({{}})"
_WALK = f"SELECT {READ_COLUMNS} FROM items WHERE number > ? AND state <> {_DELETED} AND first_change <= ? ORDER BY number LIMIT ?"
_CHANGES = "SELECT change, number, state, first_change, valid_from, valid_to FROM items WHERE change > ? ORDER BY change"


def by_id(readers: Readers, item_ids: Sequence[str]) -> list[StoredItem]:
    """The undeleted items of `item_ids`, in that order."""
    found = {stored.item.id: stored for stored in map(stored_item, rows_in(readers.all, _BY_ID, item_ids))}
    return [found[item_id] for item_id in item_ids if item_id in found]


def by_number(readers: Readers, numbers: Sequence[int]) -> list[StoredItem]:
    """The undeleted items of `numbers`, in that order."""
    wanted = [int(number) for number in numbers]
    found = {stored.number: stored for stored in map(stored_item, rows_in(readers.all, _BY_NUMBER, wanted))}
    return [found[number] for number in wanted if number in found]


def numbers(execute: Execute, item_ids: Sequence[str]) -> dict[str, int]:
    """Numbers by id of the undeleted items among `item_ids`."""
    return {item_id: number for item_id, number in rows_in(execute, _NUMBERS, item_ids)}


def walk(readers: Readers, *, upto: int, batch: int) -> Iterator[list[StoredItem]]:
    """Undeleted items that were there at `upto` and not deleted since, by number, `batch` at a time."""
    last = 0
    while rows := readers.all(_WALK, (last, upto, batch)):
        yield [stored_item(row) for row in rows]
        last = rows[-1][0]


def changes(readers: Readers, since: int) -> list[Change]:
    """Newest changes above `since`, by sequence."""
    return [
        Change(
            sequence=sequence,
            number=number,
            state=ItemState(state),
            first_change=first_change,
            valid_from=MISSING_TIME if begins is None else begins,
            valid_to=MISSING_TIME if ends is None else ends,
        )
        for sequence, number, state, first_change, begins, ends in readers.all(_CHANGES, (since,))
    ]
