"""People's rows: the hot read, the walk over all of them, and the state's way into its columns and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from recommender.events import Consent, Subject, SubjectKind
from recommender.people import HISTORY_DTYPE, SEEN_DTYPE, Person
from recommender.store.connection import Connection, Readers, Row
from recommender.store.counting import take
from recommender.store.in_lists import executing, rows_in
from recommender.store.profiles import State, bitmap
from recommender.store.records import PersonRead
from recommender.times import MISSING_TIME

_STATE = "consent, history, consumed, dismissed, seen"
# Mostly `same_as` is NULL, and no second row is looked for.
_READ = """
    SELECT (SELECT max(change) FROM items), own.same_as, coalesce(whole.consent_at, own.consent_at), coalesce(whole.consent, own.consent),
        coalesce(whole.history, own.history), coalesce(whole.consumed, own.consumed),
        coalesce(whole.dismissed, own.dismissed), coalesce(whole.seen, own.seen)
    FROM (SELECT 1) AS one LEFT JOIN people AS own ON own.kind = ? AND own.id = ? LEFT JOIN people AS whole ON whole.number = own.same_as
"""
_KNOWN = f"SELECT id, same_as, number, consent_at, consent_floor, {_STATE} FROM people WHERE kind = ? AND id IN ({{}})"
_NUMBERED = f"SELECT number, consent_at, consent_floor, {_STATE} FROM people WHERE number IN ({{}})"
_WALK = f"SELECT number, kind, id, {_STATE} FROM people WHERE number > ? AND same_as IS NULL ORDER BY number LIMIT ?"
_WALK_KIND = f"SELECT number, kind, id, {_STATE} FROM people WHERE number > ? AND kind = ? AND same_as IS NULL ORDER BY number LIMIT ?"
_SPAN = f"""
    SELECT number, kind, id, consent_at, {_STATE} FROM people
    WHERE number > ? AND number <= ? AND same_as IS NULL ORDER BY number LIMIT ?
"""
_SUBJECTS = "SELECT number, kind, id FROM people WHERE number > ? ORDER BY number LIMIT ?"
_ADD = """
    INSERT INTO people (consent, consent_at, consent_floor, history, consumed, dismissed, seen, kind, id, number)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Leaves kind and id alone, so that their index is not looked at.
_CHANGE = """
    UPDATE people SET consent = ?, consent_at = ?, consent_floor = ?, history = ?, consumed = ?, dismissed = ?, seen = ? WHERE number = ?
"""

WALK_BATCH = 1_000
SUBJECTS_BATCH = 20_000


Key = tuple[int, str]
"""Kind and id of a person."""


class Known(NamedTuple):
    """A person's row: permanent `number`, state, and what they said about consent; `new` where there is no row yet.

    `consent`: what they last said, by the event's time, or the deployment's default as of the last event. `consent_at`: event
    time (µs) of that word; `MISSING_TIME` where they never said anything. `consent_floor`: what everything they ever said
    allows; all where they never said anything.
    """

    number: int
    consent_at: int
    consent_floor: int
    consent: int
    state: State
    new: bool = False


def read(readers: Readers, subject: Subject) -> PersonRead:
    """State of `subject` and the newest catalogue change, in one statement."""
    row = readers.one(_READ, (int(subject.kind), subject.id))
    change, same_as, consent_at, *state = (None, None, None) if row is None else row
    known = consent_at is not None
    person = _person(tuple(state)) if known else Person.unknown()
    said = known and consent_at != MISSING_TIME
    return PersonRead(person=person, known=known, said=said, change=change or 0, linked=same_as is not None)


def walk(readers: Readers, *, kind: SubjectKind | None, limit: int | None) -> Iterator[tuple[Subject, Person]]:
    """All people by number, in short reads; nobody who was linked to another."""
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
    """The people of `after` < number ≤ `upto` by number, in short reads, nobody who was linked to another; `change` of each is 0."""
    last = after
    while rows := readers.all(_SPAN, (last, upto, WALK_BATCH)):
        for _, kind, subject_id, consent_at, *state in rows:
            said = consent_at != MISSING_TIME
            yield Subject(SubjectKind(kind), subject_id), PersonRead(person=_person(tuple(state)), known=True, said=said, change=0)
        last = rows[-1][0]


def subjects(readers: Readers) -> Iterator[tuple[int, Subject]]:
    """Everybody by number, in short reads, also who was linked to another."""
    last = 0
    while rows := readers.all(_SUBJECTS, (last, SUBJECTS_BATCH)):
        for number, kind, subject_id in rows:
            yield number, Subject(SubjectKind(kind), subject_id)
        last = rows[-1][0]


def last_number(readers: Readers) -> int:
    """The highest number of a person, 0 where there is none."""
    row = readers.one("SELECT max(number) FROM people")
    return 0 if row is None or row[0] is None else int(row[0])


def found_or_new(connection: Connection, keys: Iterable[Key]) -> tuple[dict[Key, Known], dict[Key, int]]:
    """Rows of the people with the different `keys`; those not heard of before get a number, and are not written yet.

    Of somebody who was linked to another it is the other's row, so that several keys may lead to one. Their own numbers are the second
    answer.
    """
    wanted = list(keys)
    found: dict[Key, Known] = {}
    linked: dict[Key, tuple[int, int]] = {}
    for kind in map(int, SubjectKind):
        ids = [key[1] for key in wanted if key[0] == kind]
        for person_id, same_as, number, *row in rows_in(executing(connection), _KNOWN, ids, before=(kind,)):
            if same_as is None:
                found[kind, person_id] = _known(number, *row)
            else:
                linked[kind, person_id] = number, same_as
    if linked:
        numbers = list({same_as for _, same_as in linked.values()})
        others = {number: _known(number, *row) for number, *row in rows_in(executing(connection), _NUMBERED, numbers)}
        found.update((key, others[same_as]) for key, (_, same_as) in linked.items())
    new = [key for key in wanted if key not in found]
    for key, number in zip(new, take(connection, "person", len(new)), strict=True):
        found[key] = Known(number, MISSING_TIME, int(Consent.ALL), int(Consent.ALL), State(), new=True)
    return found, {key: number for key, (number, _) in linked.items()}


def write(connection: Connection, people: Iterable[tuple[Key, Known]]) -> None:
    """Write the rows of `people`, by number, as neighbours lie on one page."""
    ordered = sorted(people, key=lambda pair: pair[1].number)
    added = [(*_columns(known), *key, known.number) for key, known in ordered if known.new]
    changed = [(*_columns(known), known.number) for _, known in ordered if not known.new]
    if added:
        connection.executemany(_ADD, added)
    if changed:
        connection.executemany(_CHANGE, changed)


def _known(number: int, consent_at: int, consent_floor: int, consent: int, *state: bytes) -> Known:
    return Known(number, consent_at, consent_floor, consent, State(*state))


def _columns(known: Known) -> tuple[object, ...]:
    # The driver binds byte arrays at once, while it looks for a way to adapt bytes each time.
    return (known.consent, known.consent_at, known.consent_floor, *map(bytearray, known.state))


def _person(state: Row) -> Person:
    consent, history, consumed, dismissed, seen = state
    return Person(
        history=np.frombuffer(history, dtype=HISTORY_DTYPE),
        consumed=bitmap(consumed),
        dismissed=bitmap(dismissed),
        seen=np.frombuffer(seen, dtype=SEEN_DTYPE),
        consent=Consent(consent),
    )
