"""Writing the catalogue: upserts, states and deletions, each with its value of the change sequence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from recommender.errors import InvalidInput
from recommender.items import Item, ItemState
from recommender.store.connection import Connection
from recommender.store.counting import take
from recommender.store.in_lists import executing, rows_in
from recommender.store.item_rows import BLANK, CONTENT_COLUMNS, ItemRow, item_row
from recommender.store.records import Upserted, UpsertStatus
from recommender.times import to_micros

_CONTENT = CONTENT_COLUMNS.split(", ")
_INSERT = (
    f"INSERT INTO items (number, id, state, change, first_change, updated_at, {CONTENT_COLUMNS}) "
    f"VALUES (?, ?, ?, ?, ?, ?, {', '.join('?' * len(_CONTENT))})"
)
_REPLACE = (
    "UPDATE items SET state = ?, change = ?, first_change = ?, updated_at = ?, "
    f"{', '.join(f'{name} = ?' for name in _CONTENT)} WHERE number = ?"
)
_BLANK = f"UPDATE items SET state = ?, change = ?, updated_at = ?, {', '.join(f'{name} = ?' for name in _CONTENT)} WHERE number = ?"
_SET_STATE = "UPDATE items SET state = ?, change = ?, updated_at = ? WHERE number = ?"
_STORED = "SELECT id, number, state, first_change, digest, text_digest FROM items WHERE id IN ({})"
_STATES = "SELECT id, number, state FROM items WHERE id IN ({})"


def prepare(items: Sequence[Item]) -> list[ItemRow]:
    """The rows of `items`, in order. Raises `InvalidInput` where a time lies outside the years 1 to 9999 in UTC."""
    return [item_row(item) for item in items]


def upsert(connection: Connection, rows: Sequence[ItemRow], now: datetime) -> list[Upserted]:
    """Write `rows`, the last one of an id counting; one result per row, in order."""
    latest = {row.id: row for row in rows}
    stored = {found[0]: found[1:] for found in rows_in(executing(connection), _STORED, list(latest))}
    new = [row for row in latest.values() if row.id not in stored]
    # The digests of a deleted item are blank, so that whatever comes differs from it.
    changed = [row for row in latest.values() if row.id in stored and row.digest != stored[row.id][3]]
    results = {item_id: Upserted(item_id, found[0], UpsertStatus.UNCHANGED, False) for item_id, found in stored.items()}
    moment = to_micros(now)

    sequence = iter(take(connection, "sequence", len(new) + len(changed)))
    inserts: list[tuple[object, ...]] = []
    for row, number in zip(new, take(connection, "item", len(new)), strict=True):
        change = next(sequence)
        inserts.append((number, row.id, int(ItemState.LIVE), change, change, moment, *row.content))
        results[row.id] = Upserted(row.id, number, UpsertStatus.CREATED, True)
    replacements: list[tuple[object, ...]] = []
    for row in changed:
        number, state, first_change, _, text_digest = stored[row.id]
        change, revived = next(sequence), state == ItemState.DELETED
        if revived:
            # Generations from before hold the deleted content under this number; only a later one may show the item again.
            state, first_change = int(ItemState.LIVE), change
        replacements.append((state, change, first_change, moment, *row.content, number))
        status = UpsertStatus.CREATED if revived else UpsertStatus.UPDATED
        results[row.id] = Upserted(row.id, number, status, row.text_digest != text_digest)
    connection.executemany(_INSERT, inserts)
    connection.executemany(_REPLACE, replacements)
    return [results[row.id] for row in rows]


def check_settable(state: ItemState) -> None:
    """Raise `InvalidInput` unless `state` is one that an item can be set to and come back from."""
    if state not in (ItemState.LIVE, ItemState.HIDDEN):
        raise InvalidInput("state", state.name.lower(), "live or hidden; to delete items, delete them")


def set_state(connection: Connection, ids: Sequence[str], state: ItemState, now: datetime) -> tuple[int, list[str]]:
    """Give the items of the different `ids` their `state`: how many changed, and the ids that no undeleted item has."""
    stored = {item_id: (number, was) for item_id, number, was in rows_in(executing(connection), _STATES, ids)}
    known = {item_id: found for item_id, found in stored.items() if found[1] != ItemState.DELETED}
    numbers = [known[item_id][0] for item_id in ids if item_id in known and known[item_id][1] != state]
    moment = to_micros(now)
    sequence = take(connection, "sequence", len(numbers))
    if state is ItemState.DELETED:
        blanks = [(int(state), change, moment, *BLANK, number) for number, change in zip(numbers, sequence, strict=True)]
        connection.executemany(_BLANK, blanks)
    else:
        connection.executemany(_SET_STATE, [(int(state), change, moment, number) for number, change in zip(numbers, sequence, strict=True)])
    return len(numbers), [item_id for item_id in ids if item_id not in known]
