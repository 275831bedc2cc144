"""People's rows: the hot read, the walk over all of them, and the state's way into its columns and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from recommender.events import Consent, Subject, SubjectKind
from recommender.people import HISTORY_DTYPE, SEEN_DTYPE, Person
from recommender.store.connection import Readers, Row
from recommender.store.counting import take
from recommender.store.in_lists import executing, rows_in
from recommender.store.records import PersonRead
from recommender.times import MISSING_TIME

_STATE = "consent, history, consumed, dismissed, seen"
_READ = f"SELECT (SELECT max(change) FROM items), consent_at, {_STATE} FROM (SELECT 1) LEFT JOIN people ON kind = ? AND id = ?"
_KNOWN = f"SELECT id, number, consent_at, consent_floor, {_STATE} FROM people WHERE kind = ? AND id IN ({{}})"
_WALK = f"SELECT number, kind, id, {_STATE} FROM people WHERE number > ? ORDER BY number LIMIT ?"
_WALK_KIND = f"SELECT number, kind, id, {_STATE} FROM people WHERE number > ? AND kind = ? ORDER BY number LIMIT ?"
_SPAN = f"SELECT number, kind, id, consent_at, {_STATE} FROM people WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"
_WRITE = """
    INSERT INTO people (number, kind, id, consent, consent_at, consent_floor, history, consumed, dismissed, seen)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (number) DO UPDATE SET
        consent = excluded.consent, consent_at = excluded.consent_at, consent_floor = excluded.consent_floor,
        history = excluded.history, consumed = excluded.consumed, dismissed = excluded.dismissed, seen = excluded.seen
"""

WALK_BATCH = 1_000


@dataclass(frozen=True, eq=False)
class KnownPerson:
    """A person's row: number, state, and what they said about consent.

    `consent_at`: event time (µs) of their last word, which is the state's consent; `MISSING_TIME` where they never said
    anything. `consent_floor`: what everything they ever said allows; `Consent.ALL` where they never said anything.
    """

    number: int
    subject: Subject
    person: Person
    consent_at: int
    consent_floor: Consent


def read(readers: Readers, subject: Subject) -> PersonRead:
    """State of `subject` and the newest catalogue change, in one statement."""
    row = readers.one(_READ, (int(subject.kind), subject.id))
    change, consent_at, *state = (None, None) if row is None else row
    known = consent_at is not None
    person = _person(tuple(state)) if known else Person.unknown()
    return PersonRead(person=person, known=known, said=known and consent_at != MISSING_TIME, change=change or 0)


def walk(readers: Readers, *, kind: SubjectKind | None, limit: int | None) -> Iterator[tuple[Subject, Person]]:
    """All people by number, in short reads."""
    last, left = 0, limit
    while left is None or left > 0:
        batch = WALK_BATCH if left is None else min(WALK_BATCH, left)
        rows = readers.all(_WALK, (last, batch)) if kind is None else readers.all(_WALK_KIND, (last, int(kind), batch))
        if not rows:
            return
        for row in rows:
            yield Subject(SubjectKind(row[1]), row[2]), _person(row[3:])
        last = rows[-1][0]
        left = None if left is None else left - len(rows)


def span(readers: Readers, *, after: int, upto: int) -> Iterator[tuple[Subject, PersonRead]]:
    """The people of `after` < number ≤ `upto` by number, in short reads; `change` of each is 0."""
    last = after
    while rows := readers.all(_SPAN, (last, upto, WALK_BATCH)):
        for _, kind, subject_id, consent_at, *state in rows:
            said = consent_at != MISSING_TIME
            yield Subject(SubjectKind(kind), subject_id), PersonRead(person=_person(tuple(state)), known=True, said=said, change=0)
        last = rows[-1][0]


def last_number(readers: Readers) -> int:
    """The highest number of a person, 0 where there is none."""
    row = readers.one("SELECT max(number) FROM people")
    return 0 if row is None or row[0] is None else int(row[0])


def found_or_new(connection: sqlite3.Connection, subjects: Iterable[Subject]) -> dict[Subject, KnownPerson]:
    """Rows of the different `subjects`; those not heard of before get a number, and are not written yet."""
    wanted = list(subjects)
    found: dict[Subject, KnownPerson] = {}
    for kind in SubjectKind:
        ids = [subject.id for subject in wanted if subject.kind is kind]
        for row in rows_in(executing(connection), _KNOWN, ids, before=(int(kind),)):
            subject = Subject(kind, row[0])
            found[subject] = KnownPerson(row[1], subject, _person(row[4:]), consent_at=row[2], consent_floor=Consent(row[3]))
    new = [subject for subject in wanted if subject not in found]
    for subject, number in zip(new, take(connection, "person", len(new)), strict=True):
        found[subject] = KnownPerson(number, subject, Person.unknown(), MISSING_TIME, Consent.ALL)
    return found


def write(connection: sqlite3.Connection, people: Iterable[KnownPerson]) -> None:
    """Write the rows of `people`."""
    connection.executemany(_WRITE, [_row(known) for known in people])


def _row(known: KnownPerson) -> tuple[object, ...]:
    person, subject = known.person, known.subject
    return (
        known.number,
        int(subject.kind),
        subject.id,
        int(person.consent),
        known.consent_at,
        int(known.consent_floor),
        person.history.tobytes(),
        _blob(person.consumed),
        _blob(person.dismissed),
        person.seen.tobytes(),
    )


def _person(state: Row) -> Person:
    consent, history, consumed, dismissed, seen = state
    return Person(
        history=np.frombuffer(history, dtype=HISTORY_DTYPE),
        consumed=_bitmap(consumed),
        dismissed=_bitmap(dismissed),
        seen=np.frombuffer(seen, dtype=SEEN_DTYPE),
        consent=Consent(consent),
    )


def _blob(numbers: BitMap) -> bytes:
    return numbers.serialize() if numbers else b""


def _bitmap(blob: bytes) -> BitMap:
    return BitMap.deserialize(blob) if blob else BitMap()
