"""Recording events: judge them, leave out what is there already, keep the rest by day, and apply it to people's state."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from xxhash import xxh3_128_digest

from recommender.errors import InvalidInput
from recommender.events import Consent, Event, Subject
from recommender.store import people
from recommender.store.counting import take
from recommender.store.in_lists import executing, rows_in
from recommender.store.item_reading import numbers
from recommender.store.partitions import day_of, day_text, make_events, storable_micros
from recommender.store.profiles import HistoryRow, after_events, history_row
from recommender.store.records import EventOutcome, EventStatus
from recommender.times import MISSING_TIME

_COLUMNS = "sequence, key, id, person, item, type, value, portion, dwell_s, at, consent, custom, token, context"
_MARKS = ", ".join("?" * len(_COLUMNS.split(", ")))
_PARTITIONS = "SELECT day FROM event_partitions WHERE day IN ({})"
_RECENT_PARTITIONS = "SELECT day FROM event_partitions WHERE day >= ?"
_COUNT = """
    INSERT INTO event_partitions (day, rows, first_sequence, last_sequence) VALUES (?, ?, ?, ?)
    ON CONFLICT (day) DO UPDATE SET rows = rows + excluded.rows, last_sequence = excluded.last_sequence
"""


class Arrival(NamedTuple):
    """An event whose time may be taken: its place in the call, time in µs, UTC day, and digest of its id."""

    place: int
    event: Event
    at: int
    day: str
    key: bytes


def first_recent_day(now: datetime, dedup_days: int) -> str:
    """The first UTC day of those on which an event id is looked for whatever the event's time."""
    today = now.astimezone(UTC).date()
    return day_text(today - timedelta(days=min(dedup_days, today.toordinal() - 1)))


def prepare(
    events: Sequence[Event], *, now: datetime, tolerance_s: float, oldest: datetime | None
) -> tuple[list[Arrival], dict[int, EventOutcome]]:
    """The events whose time may be taken, and the outcomes of the others by their place in the call."""
    arrived_at = storable_micros(now, "now")
    latest = arrived_at + round(tolerance_s * 1_000_000)
    earliest = None if oldest is None else storable_micros(oldest, "oldest")
    arrivals: list[Arrival] = []
    refused: dict[int, EventOutcome] = {}
    for place, event in enumerate(events):
        try:
            at = arrived_at if event.at is None else storable_micros(event.at, "at")
            if at > latest:
                allowed = f"at most {tolerance_s:g} s after this server's time, which is {now.isoformat()}"
                raise InvalidInput("at", "" if event.at is None else event.at.isoformat(), allowed)
            if earliest is not None and oldest is not None and event.at is not None and at < earliest:
                raise InvalidInput("at", event.at.isoformat(), f"{oldest.isoformat()} or later; older events can be imported")
        except InvalidInput as error:
            refused[place] = EventOutcome(event.id, EventStatus.REJECTED, str(error))
            continue
        arrivals.append(Arrival(place, event, at, day_of(at), xxh3_128_digest(event.id.encode())))
    return arrivals, refused


def record(
    connection: sqlite3.Connection,
    arrivals: Sequence[Arrival],
    refused: dict[int, EventOutcome],
    recent: str,
    consent_default: Consent,
) -> list[EventOutcome]:
    """Keep what is new among `arrivals` and apply it to the people's state; outcomes of all events, `refused` ones included, in order."""
    outcomes = dict(refused)
    items = numbers(executing(connection), list({arrival.event.item_id for arrival in arrivals}))
    stored = _Stored(connection, arrivals, recent)
    accepted: list[Arrival] = []
    for arrival in arrivals:
        event = arrival.event
        if event.item_id not in items:
            problem = InvalidInput("item_id", event.item_id, "the id of an item in the catalogue")
            outcomes[arrival.place] = EventOutcome(event.id, EventStatus.REJECTED, str(problem))
        elif stored.has(arrival):
            outcomes[arrival.place] = EventOutcome(event.id, EventStatus.DUPLICATE)
        else:
            stored.add(arrival)
            accepted.append(arrival)
            outcomes[arrival.place] = EventOutcome(event.id, EventStatus.ACCEPTED)
    if accepted:
        _keep(connection, accepted, items, consent_default)
    return [outcomes[place] for place in range(len(outcomes))]


class _Stored:
    """Which ids of a call are there already: in the call so far, on the event's own day, or on a recent day."""

    def __init__(self, connection: sqlite3.Connection, arrivals: Sequence[Arrival], recent: str) -> None:
        keys_by_day: defaultdict[str, list[bytes]] = defaultdict(list)
        for arrival in arrivals:
            keys_by_day[arrival.day].append(arrival.key)
        execute = executing(connection)
        recent_days = {day for (day,) in execute(_RECENT_PARTITIONS, (recent,))}
        older_days = {day for (day,) in rows_in(execute, _PARTITIONS, [day for day in keys_by_day if day < recent])}
        all_keys = [arrival.key for arrival in arrivals]
        self._anywhere = {key for day in recent_days for key in _keys(connection, day, all_keys)}
        self._on_day = {(day, key) for day in older_days for key in _keys(connection, day, keys_by_day[day])}

    def has(self, arrival: Arrival) -> bool:
        return arrival.key in self._anywhere or (arrival.day, arrival.key) in self._on_day

    def add(self, arrival: Arrival) -> None:
        self._anywhere.add(arrival.key)


def _keys(connection: sqlite3.Connection, day: str, keys: Sequence[bytes]) -> Iterable[bytes]:
    return (key for (key,) in rows_in(executing(connection), f"SELECT key FROM events_{day} WHERE key IN ({{}})", keys))


def _keep(connection: sqlite3.Connection, accepted: Sequence[Arrival], items: dict[str, int], consent_default: Consent) -> None:
    by_person: defaultdict[Subject, list[Arrival]] = defaultdict(list)
    for arrival in accepted:
        by_person[arrival.event.subject].append(arrival)
    known = people.found_or_new(connection, by_person)
    changed, consents = [], dict[int, Consent]()
    for subject, arrivals in by_person.items():
        given, person = _consents(known[subject], arrivals, consent_default)
        consents.update(given)
        changed.append(_applied(person, arrivals, given, items))
    rows_by_day: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
    for sequence, arrival in zip(take(connection, "sequence", len(accepted)), accepted, strict=True):
        number = known[arrival.event.subject].number
        rows_by_day[arrival.day].append(_row(sequence, arrival, number, items[arrival.event.item_id], consents[arrival.place]))
    existing = {day for (day,) in rows_in(executing(connection), _PARTITIONS, list(rows_by_day))}
    for day, rows in rows_by_day.items():
        if day not in existing:
            make_events(connection, day)
        connection.executemany(f"INSERT INTO events_{day} ({_COLUMNS}) VALUES ({_MARKS})", rows)
    connection.executemany(_COUNT, [(day, len(rows), rows[0][0], rows[-1][0]) for day, rows in rows_by_day.items()])
    people.write(connection, changed)


def _row(sequence: int, arrival: Arrival, person: int, item: int, consent: Consent) -> tuple[object, ...]:
    event = arrival.event
    return (
        sequence,
        arrival.key,
        event.id,
        person,
        item,
        int(event.type),
        event.value,
        event.portion,
        event.dwell_s,
        arrival.at,
        int(consent),
        event.custom or None,
        event.token or None,
        json.dumps(dict(event.context), sort_keys=True) if event.context else None,
    )


def _consents(known: people.KnownPerson, arrivals: Sequence[Arrival], default: Consent) -> tuple[dict[int, Consent], people.KnownPerson]:
    """The consent of each arrival by its place, and the person with the consent that holds after them.

    An event that says nothing follows what the person last said by then, or `default` for somebody who never said anything: a
    sender that forgets the field must not undo a refusal. Of an event from before their last word it is not known which
    earlier word held then, if any: it gets what `default` and everything that they ever said allow, so never more than held.
    """
    consent, consent_at, floor = known.person.consent, known.consent_at, known.consent_floor
    if consent_at == MISSING_TIME:
        consent = default
    consents: dict[int, Consent] = {}
    for arrival in sorted(arrivals, key=lambda arrival: arrival.at):
        said = arrival.event.consent
        if said is None:
            consents[arrival.place] = consent if arrival.at >= consent_at else default & floor
            continue
        consents[arrival.place] = said
        floor &= said
        if arrival.at >= consent_at:
            consent, consent_at = said, arrival.at
    return consents, replace(known, person=replace(known.person, consent=consent), consent_at=consent_at, consent_floor=floor)


def _applied(
    known: people.KnownPerson, arrivals: Sequence[Arrival], consents: dict[int, Consent], items: dict[str, int]
) -> people.KnownPerson:
    personal: list[HistoryRow] = [
        history_row(arrival.event, items[arrival.event.item_id], arrival.at)
        for arrival in arrivals
        if Consent.PERSONALISE in consents[arrival.place]
    ]
    return replace(known, person=after_events(known.person, personal, known.person.consent)) if personal else known
