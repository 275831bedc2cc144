"""How a person's state follows from what they did: events in, new state out, on the bytes that the store keeps.

A call brings most people one event or two, which are newer than all before them. That costs an append here and no array,
which would cost more than everything else that is done for an event.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pyroaring import BitMap

from recommender.events import CONSUMING, DISMISSING, EventType
from recommender.people import HISTORY_LIMIT, SEEN_LIMIT
from recommender.times import MISSING_TIME

_IMPRESSION = int(EventType.IMPRESSION)
_CONSUMING = frozenset(map(int, CONSUMING))
_DISMISSING = frozenset(map(int, DISMISSING))
_OPINION = _DISMISSING | {int(EventType.LIKE)}

_ITEM = struct.Struct("<I")
_TIME = struct.Struct("<q")
_ACTED = struct.Struct("<IBfq")
"""One record of `HISTORY_DTYPE`."""
_SEEN = struct.Struct("<IHq")
"""One record of `SEEN_DTYPE`."""
_SEEN_COUNT_LIMIT = 2**16 - 1
_TYPE_OFFSET = _ITEM.size

HistoryRow = tuple[int, int, float, int]
"""An event as a history has it: item number, `EventType`, value (NaN where absent), time in µs."""


class State(NamedTuple):
    """A person's state as it is kept: `history` and `seen` as the bytes of their arrays, `consumed` and `dismissed` as serialised
    bitmaps, "" for an empty one."""

    history: bytes = b""
    consumed: bytes = b""
    dismissed: bytes = b""
    seen: bytes = b""


def after_events(state: State, arrived: Sequence[HistoryRow]) -> State:
    """The `state` after the events that `arrived`, in the order of arrival, all with consent to personalise.

    Events take their place in the history by time, then by arrival, however late they come. Of an item's likes, dislikes and
    hides the newest decides whether it is dismissed.
    """
    history, consumed, dismissed, seen = state
    acted = [row for row in arrived if row[1] != _IMPRESSION]
    if len(acted) < len(arrived):
        seen = _seen(seen, [row for row in arrived if row[1] == _IMPRESSION])
    if acted:
        merged = _merged(history, acted)
        consumed = _with(consumed, [row[0] for row in acted if row[1] in _CONSUMING])
        spoken_of = {row[0] for row in acted if row[1] in _OPINION}
        if spoken_of:
            dismissed = _dismissed(dismissed, spoken_of, history, merged)
        history = merged[-HISTORY_LIMIT * _ACTED.size :]
    return State(history, consumed, dismissed, seen)


def bitmap(blob: bytes) -> BitMap:
    """The set that `blob` holds."""
    return BitMap.deserialize(blob) if blob else BitMap()


def _merged(history: bytes, acted: Sequence[HistoryRow]) -> bytes:
    """The history with all that was `acted`, oldest first; what arrived earlier stays ahead of what has the same time."""
    last = _time(history, len(history)) if history else MISSING_TIME
    for row in acted:
        if row[3] < last:
            break
        last = row[3]
    else:
        return history + b"".join([_ACTED.pack(*row) for row in acted])
    rows: list[bytes] = [history[start : start + _ACTED.size] for start in range(0, len(history), _ACTED.size)]
    rows += [_ACTED.pack(*row) for row in acted]
    rows.sort(key=lambda row: _time(row, _ACTED.size))
    return b"".join(rows)


def _time(history: bytes | bytearray, end: int) -> int:
    """Time of the record that ends at byte `end`."""
    at: int = _TIME.unpack_from(history, end - _TIME.size)[0]
    return at


def _with(blob: bytes, items: Sequence[int]) -> bytes:
    if not items:
        return blob
    numbers = bitmap(blob)
    numbers.update(items)
    return numbers.serialize()


def _dismissed(blob: bytes, spoken_of: set[int], history: bytes, merged: bytes) -> bytes:
    # What fell out of a full history is unknown: a like from before that may be older than a dismissal.
    known_from = _time(history, _ACTED.size) if len(history) == HISTORY_LIMIT * _ACTED.size else MISSING_TIME
    dismissed = bitmap(blob)
    for item in spoken_of:
        newest = _newest_opinion(merged, item)
        if merged[newest + _TYPE_OFFSET] in _DISMISSING:
            dismissed.add(item)
        elif _time(merged, newest + _ACTED.size) >= known_from:
            dismissed.discard(item)
    return dismissed.serialize() if dismissed else b""


def _newest_opinion(history: bytes, item: int) -> int:
    """Where the newest opinion on `item` begins, which the history must hold."""
    number = _ITEM.pack(item)
    place = history.rfind(number)
    while place % _ACTED.size or history[place + _TYPE_OFFSET] not in _OPINION:
        place = history.rfind(number, 0, place + _ITEM.size - 1)
    return place


def _seen(seen: bytes, impressions: Sequence[HistoryRow]) -> bytes:
    grown = bytearray(seen)
    for item, _, _, at in impressions:
        place = _place(grown, _ITEM.pack(item))
        if place < 0:
            grown += _SEEN.pack(item, 1, at)
        else:
            _, count, latest = _SEEN.unpack_from(grown, place)
            _SEEN.pack_into(grown, place, item, min(count + 1, _SEEN_COUNT_LIMIT), max(latest, at))
    return bytes(grown) if len(grown) <= SEEN_LIMIT * _SEEN.size else _last_seen(grown)


def _place(seen: bytearray, number: bytes) -> int:
    """Where the record of the item of these bytes begins, -1 where there is none."""
    place = seen.find(number)
    while place >= 0 and place % _SEEN.size:
        place = seen.find(number, place + 1)
    return place


def _last_seen(seen: bytearray) -> bytes:
    """The `SEEN_LIMIT` most recently seen; of those with the same time the higher numbers."""
    records = [seen[start : start + _SEEN.size] for start in range(0, len(seen), _SEEN.size)]
    records.sort(key=lambda record: (_time(record, _SEEN.size), _ITEM.unpack_from(record)))
    return b"".join(records[-SEEN_LIMIT:])
