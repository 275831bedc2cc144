"""Sessions to which nobody came back: finding them, and forgetting what is kept of each.

A session's state tells when it was there last, except where it does not allow to be personalised, or was linked to a user whose state is
its own now. Of those, events tell. Users are never forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from pyroaring import BitMap

from recommender.events import Consent, SubjectKind
from recommender.people import HISTORY_DTYPE, SEEN_DTYPE
from recommender.store.connection import Connection, Readers, Row
from recommender.store.in_lists import executing, rows_in
from recommender.store.partitions import day_text, rows_of_day
from recommender.times import DAY_US, MISSING_TIME

_STATE = "number, consent, consent_at, history, consumed, dismissed, seen"
_SESSIONS = f"""
    SELECT {_STATE} FROM people WHERE number > ? AND kind = {int(SubjectKind.SESSION)} AND same_as IS NULL ORDER BY number LIMIT ?
"""
_NUMBERED = f"SELECT {_STATE} FROM people WHERE same_as IS NULL AND number IN ({{}})"
_LINKED = f"""
    SELECT links.sequence, links.person FROM links JOIN people ON people.number = links.person
    WHERE links.sequence > ? AND links.sequence < ? AND people.kind = {int(SubjectKind.SESSION)} ORDER BY links.sequence LIMIT ?
"""
_DAYS = "SELECT day FROM event_partitions WHERE day >= ? AND last_sequence > ? ORDER BY day DESC"
_PERSONS = "SELECT DISTINCT person FROM events_{} WHERE sequence > ?"
_SEQUENCE = "SELECT value FROM counters WHERE name = 'sequence'"

READ_AT_ONCE = 1_000
"""People read by one statement."""

FORGOTTEN_AT_ONCE = 500
"""Sessions removed by one transaction, at most."""

ROW_BYTES = 60
"""About what a person takes beside state: numbers, id and index entries."""

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, eq=False)
class Quiet:
    """Sessions of which there is nothing from `since` (µs) on, by number: `alone`, and those who were `linked` to a user.

    `mark`: the change sequence as of which events have been looked through. `bytes`: about what the sessions take. `oldest` and `newest`:
    days on which they were there last, as far as states say so.
    """

    since: int
    mark: int
    alone: BitMap
    linked: BitMap
    bytes: int
    oldest: date | None
    newest: date | None

    def __len__(self) -> int:
        return len(self.alone) + len(self.linked)

    def parts(self) -> Iterator[list[int]]:
        """The numbers in parts for one short transaction each."""
        numbers = list(self.alone | self.linked)
        return (numbers[start : start + FORGOTTEN_AT_ONCE] for start in range(0, len(numbers), FORGOTTEN_AT_ONCE))


def quiet(readers: Readers, since: date, events_from: date | None) -> Quiet:
    """The sessions of which there is nothing on `since` or any later day.

    Events of sessions that were linked say whose they are as long as they are kept: such a session goes only when none of its events from
    `events_from` on (None: of any day) is left, and it was linked before all that happened from `since` on. Takes short reads, and one of
    the persons of each day where some session's state does not tell.
    """
    start = (since.toordinal() - _EPOCH) * DAY_US
    row = readers.one(_SEQUENCE)
    mark = 0 if row is None else int(row[0])
    sizes: dict[int, int] = {}
    times: dict[int, int] = {}
    doubtful = BitMap()
    last = 0
    while rows := readers.all(_SESSIONS, (last, READ_AT_ONCE)):
        last = rows[-1][0]
        for each in rows:
            there = _last_there(each)
            if there < start:
                sizes[each[0]], times[each[0]] = ROW_BYTES + sum(map(len, each[3:])), there
                if not _tells(each):
                    doubtful.add(each[0])
    alone = BitMap(sizes) - _persons(readers, doubtful, day_text(since))
    linked = _linked_before(readers, day_text(since))
    linked -= _persons(readers, linked, "" if events_from is None else day_text(events_from))
    told = [times[number] for number in alone if times[number] != MISSING_TIME]
    oldest, newest = (_date(min(told)), _date(max(told))) if told else (None, None)
    size = sum(sizes[number] for number in alone) + ROW_BYTES * len(linked)
    return Quiet(start, mark, alone, linked, size, oldest, newest)


def forget(connection: Connection, quiet: Quiet, numbers: Sequence[int]) -> int:
    """Remove those of `quiet` who have these `numbers`, except who has been there meanwhile: how many that were."""
    lately = BitMap()
    for (day,) in connection.execute(_DAYS, ("", quiet.mark)).fetchall():
        lately.update(person for (person,) in connection.execute(_PERSONS.format(day), (quiet.mark,)).fetchall())
    rows = rows_in(executing(connection), _NUMBERED, numbers)
    alone = [row[0] for row in rows if row[0] in quiet.alone and row[0] not in lately and _last_there(row) < quiet.since]
    linked = [number for number in numbers if number in quiet.linked and number not in lately]
    connection.executemany("DELETE FROM links WHERE person = ?", [(number,) for number in linked])
    connection.executemany("DELETE FROM people WHERE number = ?", [(number,) for number in sorted([*alone, *linked])])
    return len(alone) + len(linked)


def _date(at: int) -> date:
    return date.fromordinal(_EPOCH + at // DAY_US)


def _last_there(row: Row) -> int:
    """When somebody was there last as far as the state says, in µs; `MISSING_TIME` where it says nothing."""
    _, _, consent_at, history, _, _, seen = row
    acted = np.frombuffer(history, dtype=HISTORY_DTYPE)["at"]
    shown = np.frombuffer(seen, dtype=SEEN_DTYPE)["at"]
    return int(max(consent_at, acted[-1] if len(acted) else MISSING_TIME, shown.max(initial=MISSING_TIME)))


def _tells(row: Row) -> bool:
    """Whether every visit has left a trace: events that say nothing of consent, and may not be used, leave none."""
    return bool(row[1] & Consent.PERSONALISE)


def _persons(readers: Readers, among: Iterable[int], first: str) -> BitMap:
    """Those of `among` who have events on the day `first` or later; newer days are looked through first."""
    left, found = BitMap(among), BitMap()
    days: Sequence[Row] = readers.all(_DAYS, (first, 0)) if left else ()
    for (day,) in days:
        there = left & BitMap([person for (person,) in rows_of_day(readers, "event_partitions", day, _PERSONS.format(day), (0,))])
        found |= there
        left -= there
        if not left:
            break
    return found


def _linked_before(readers: Readers, since: str) -> BitMap:
    """The sessions that were linked before any event of the day `since`, or of a later one, came; none where no such event has come."""
    (first,) = readers.one("SELECT min(first_sequence) FROM event_partitions WHERE day >= ?", (since,)) or (None,)
    numbers, last = BitMap(), 0
    while first is not None and (rows := readers.all(_LINKED, (last, first, READ_AT_ONCE))):
        last = rows[-1][0]
        numbers.update(number for _, number in rows)
    return numbers
