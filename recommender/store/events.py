"""Recording events: judge them, leave out what is there already, keep the rest by day, and apply it to people's state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, groupby, pairwise
from typing import Any, NamedTuple

from xxhash import xxh3_128_digest

from recommender.errors import InvalidInput
from recommender.events import WITH_PORTION, Consent, Event
from recommender.store import people
from recommender.store.connection import Connection
from recommender.store.counting import take
from recommender.store.event_rows import NOTHING_SAID, EventRow, row_of
from recommender.store.expiry import first_kept_day
from recommender.store.in_lists import executing, rows_in
from recommender.store.item_numbers import ItemNumbers
from recommender.store.partitions import date_of, day_of, day_text, make_events, storable_micros
from recommender.store.profiles import HistoryRow, after_events
from recommender.store.recent_keys import RecentKeys
from recommender.store.records import EventOutcome, EventStatus
from recommender.times import MISSING_TIME, from_micros

_COLUMNS = "sequence, key, id, person, item, type, value, portion, dwell_s, at, consent, custom, token, context"
# What a row lacks comes as NaN, which SQLite stores as NULL and PostgreSQL as it is, and as "": SQLite's driver is slow to bind None.
_MARKS = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, '')"
_PARTITIONS = "SELECT day FROM event_partitions WHERE day IN ({})"
_COUNT = """
    INSERT INTO event_partitions (day, rows, first_sequence, last_sequence) VALUES (?, ?, ?, ?)
    ON CONFLICT (day) DO UPDATE SET rows = event_partitions.rows + excluded.rows, last_sequence = excluded.last_sequence
"""
_WITH_PORTION = frozenset(map(int, WITH_PORTION))
_PERSONALISE = int(Consent.PERSONALISE)


class Arrival(NamedTuple):
    """An event whose time may be taken: its place in the call, UTC day, and digest of its id."""

    place: int
    row: EventRow
    day: str
    key: bytes


class Call(NamedTuple):
    """What one caller wants to have kept: the `arrivals`, the outcomes of all other events by their place, the first of the days on which
    ids are looked for in any case, and the consent of who never said anything."""

    arrivals: Sequence[Arrival]
    refused: Mapping[int, EventOutcome]
    recent: str
    consent_default: Consent


class Memory:
    """What recording remembers from one call to the next; to be used by one thread."""

    def __init__(self) -> None:
        self.items = ItemNumbers()
        self.recent_keys = RecentKeys()


def first_recent_day(now: datetime, dedup_days: int) -> str:
    """The first UTC day of those on which an event id is looked for whatever the event's time."""
    today = now.astimezone(UTC).date()
    return day_text(today - timedelta(days=min(dedup_days, today.toordinal() - 1)))


def rows_of(events: Sequence[Event], *, now: datetime) -> tuple[list[tuple[int, EventRow]], dict[int, EventOutcome]]:
    """The rows of `events` by their place in the call, and the outcomes of those whose time cannot be kept at all."""
    arrived_at = storable_micros(now, "now")
    rows: list[tuple[int, EventRow]] = []
    refused: dict[int, EventOutcome] = {}
    for place, event in enumerate(events):
        try:
            rows.append((place, row_of(event, arrived_at if event.at is None else storable_micros(event.at, "at"))))
        except InvalidInput as error:
            refused[place] = EventOutcome(event.id, EventStatus.REJECTED, str(error))
    return rows, refused


def prepare(
    rows: Iterable[tuple[int, EventRow]], *, now: datetime, tolerance_s: float, oldest: datetime | None
) -> tuple[list[Arrival], dict[int, EventOutcome]]:
    """The events whose time may be taken, and the outcomes of the others by their place in the call."""
    arrived_at = storable_micros(now, "now")
    latest = arrived_at + round(tolerance_s * 1_000_000)
    # An event without a time has the time of its arrival, which is never too old.
    earliest = None if oldest is None else min(storable_micros(oldest, "oldest"), arrived_at)
    arrivals: list[Arrival] = []
    refused: dict[int, EventOutcome] = {}
    for place, row in rows:
        at = row.at
        if at > latest or (earliest is not None and at < earliest):
            allowed = f"at most {tolerance_s:g} s after this server's time, which is {now.isoformat()}"
            if at <= latest and oldest is not None:
                allowed = f"{oldest.isoformat()} or later; older events can be imported"
            refused[place] = EventOutcome(row.id, EventStatus.REJECTED, str(InvalidInput("at", from_micros(at).isoformat(), allowed)))
            continue
        arrivals.append(Arrival(place, row, day_of(at), xxh3_128_digest(row.id.encode())))
    return arrivals, refused


def record_all(memory: Memory, connection: Connection, calls: Sequence[Call]) -> list[list[EventOutcome]]:
    """Keep what is new in each of several calls, as if they had come one after the other, and apply it to the people's state.

    The outcomes of all events of each call, refused ones included, in their order. What a call costs is mostly for being one: those that
    look for ids on the same days are recorded as one.
    """
    made: list[list[EventOutcome]] = []
    for (recent, consent_default), alike in groupby(calls, lambda call: (call.recent, call.consent_default)):
        told = list(alike)
        sizes = [len(call.arrivals) + len(call.refused) for call in told]
        starts = list(accumulate(sizes, initial=0))
        arrivals, refused = list[Arrival](), dict[int, EventOutcome]()
        for call, start in zip(told, starts, strict=False):
            arrivals += [arrival._replace(place=start + arrival.place) for arrival in call.arrivals] if start else call.arrivals
            refused.update({start + place: outcome for place, outcome in call.refused.items()})
        outcomes = _record(connection, arrivals, refused, recent, memory, consent_default)
        made += [outcomes[start:end] for start, end in pairwise(starts)]
    return made


def _record(
    connection: Connection,
    arrivals: Sequence[Arrival],
    refused: dict[int, EventOutcome],
    recent: str,
    memory: Memory,
    consent_default: Consent,
) -> list[EventOutcome]:
    """Keep what is new among `arrivals`; outcomes of all events, `refused` ones included, in order."""
    outcomes = dict(refused)
    items = memory.items.numbers(connection, {arrival.row.item for arrival in arrivals})
    anywhere, on_day = _stored(connection, arrivals, recent, memory.recent_keys)
    # No rule lets go of a day on which ids are looked for, so that most calls need not ask.
    first_kept = first_kept_day(connection) if any(arrival.day < recent for arrival in arrivals) else ""
    accepted: list[Arrival] = []
    for arrival in arrivals:
        place, row, day, key = arrival
        if row.item not in items:
            problem = InvalidInput("item_id", row.item, "the id of an item in the catalogue")
            outcomes[place] = EventOutcome(row.id, EventStatus.REJECTED, str(problem))
        elif key in anywhere or (day, key) in on_day:
            outcomes[place] = EventOutcome(row.id, EventStatus.DUPLICATE)
        elif day < first_kept:
            allowed = f"{date_of(first_kept).isoformat()} or later; what was before has expired (setting event_days)"
            outcomes[place] = EventOutcome(row.id, EventStatus.REJECTED, str(InvalidInput("at", from_micros(row.at).isoformat(), allowed)))
        else:
            anywhere.add(key)
            accepted.append(arrival)
            outcomes[place] = EventOutcome(row.id, EventStatus.ACCEPTED)
    if accepted:
        for day, last in _keep(connection, accepted, items, int(consent_default)):
            memory.recent_keys.added(day, [arrival.key for arrival in accepted if arrival.day == day], last)
    return [outcomes[place] for place in range(len(outcomes))]


def _stored(
    connection: Connection, arrivals: Sequence[Arrival], recent: str, recent_keys: RecentKeys
) -> tuple[set[bytes], set[tuple[str, bytes]]]:
    """Which ids of a call are there already: on a recent day, and on an event's own day from before."""
    keys_by_day: defaultdict[str, list[bytes]] = defaultdict(list)
    for _, _, day, key in arrivals:
        keys_by_day[day].append(key)
    execute = executing(connection)
    older_days = [day for (day,) in rows_in(execute, _PARTITIONS, [day for day in keys_by_day if day < recent])]
    asked = recent_keys.to_ask(connection, recent, [key for _, _, _, key in arrivals])
    anywhere = {key for day, keys in asked for key in _keys(connection, day, keys)}
    return anywhere, {(day, key) for day in older_days for key in _keys(connection, day, keys_by_day[day])}


def _keys(connection: Connection, day: str, keys: Sequence[bytes]) -> Iterable[bytes]:
    wanted = [bytearray(key) for key in keys]
    return (key for (key,) in rows_in(executing(connection), f"SELECT key FROM events_{day} WHERE key IN ({{}})", wanted))


def _keep(connection: Connection, accepted: Sequence[Arrival], items: Mapping[str, int], consent_default: int) -> list[tuple[str, int]]:
    """Write the events and their people's new state; the days that they lie on, each with its newest sequence value."""
    by_person: defaultdict[people.Key, list[Arrival]] = defaultdict(list)
    for arrival in accepted:
        row = arrival.row
        by_person[row.kind, row.subject].append(arrival)
    known, own_numbers = people.found_or_new(connection, by_person)
    if own_numbers:
        by_person = _by_whole_person(by_person, known)
    changed, told = [], dict[int, tuple[int, int]]()
    for key, arrivals in by_person.items():
        before = known[key]
        number, state = before.number, before.state
        consents, word = _consented(before, arrivals, consent_default)
        for (place, row, _, _), consent in zip(arrivals, consents, strict=True):
            told[place] = own_numbers.get((row.kind, row.subject), number) if own_numbers else number, consent
        personal = [
            _history_row(row, items[row.item]) for (_, row, _, _), consent in zip(arrivals, consents, strict=True) if consent & _PERSONALISE
        ]
        changed.append((key, people.Known(number, *word, after_events(state, personal) if personal else state, before.new)))
    rows_by_day: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for sequence, (place, row, day, digest) in zip(take(connection, "sequence", len(accepted)), accepted, strict=True):
        event_id, _, _, item, kind, at, value, portion, dwell_s, _, custom, token, context = row
        number, consent = told[place]
        rows_by_day[day].append(
            (
                sequence,
                # The driver binds byte arrays at once, while it looks for a way to adapt bytes each time.
                bytearray(digest),
                event_id,
                number,
                items[item],
                kind,
                value,
                portion,
                dwell_s,
                at,
                consent,
                custom,
                token,
                context,
            )
        )
    existing = {day for (day,) in rows_in(executing(connection), _PARTITIONS, list(rows_by_day))}
    for day, rows in rows_by_day.items():
        if day not in existing:
            make_events(connection, day)
        connection.executemany(f"INSERT INTO events_{day} ({_COLUMNS}) VALUES ({_MARKS})", rows)
    connection.executemany(_COUNT, [(day, len(rows), rows[0][0], rows[-1][0]) for day, rows in rows_by_day.items()])
    people.write(connection, changed)
    return [(day, rows[-1][0]) for day, rows in rows_by_day.items()]


def _by_whole_person(
    by_key: Mapping[people.Key, Sequence[Arrival]], known: Mapping[people.Key, people.Known]
) -> defaultdict[people.Key, list[Arrival]]:
    """The arrivals of all who are one person together, by a key that leads to that person, in the order of the call."""
    keys: dict[int, people.Key] = {}
    together: defaultdict[people.Key, list[Arrival]] = defaultdict(list)
    for key, arrivals in by_key.items():
        together[keys.setdefault(known[key].number, key)].extend(arrivals)
    for arrivals in together.values():
        arrivals.sort(key=lambda arrival: arrival.place)
    return together


def _history_row(row: EventRow, item: int) -> HistoryRow:
    """What the history keeps of an event: for read and watch the portion, for other types the value; NaN where absent.

    The value of a read or watch, such as a rating or a price, is no portion, and must not be taken for one.
    """
    kind = row.type
    return item, kind, row.portion if kind in _WITH_PORTION else row.value, row.at


def _consented(known: people.Known, arrivals: Sequence[Arrival], default: int) -> tuple[list[int], tuple[int, int, int]]:
    """The consent of each arrival, and the person's `consent_at`, `consent_floor` and `consent` after them.

    An event that says nothing follows what the person last said by then, or `default` for somebody who never said anything: a
    sender that forgets the field must not undo a refusal. Of an event from before their last word it is not known which
    earlier word held then, if any: it gets what `default` and everything that they ever said allow, so never more than held.
    """
    _, consent_at, floor, consent, _, _ = known
    if consent_at == MISSING_TIME:
        consent = default
    times = [row.at for _, row, _, _ in arrivals]
    consents = [consent] * len(arrivals)
    for index in sorted(range(len(times)), key=times.__getitem__) if len(times) > 1 else (0,):
        at, said = times[index], arrivals[index].row.consent
        if said == NOTHING_SAID:
            consents[index] = consent if at >= consent_at else default & floor
            continue
        consents[index] = said
        floor &= said
        if at >= consent_at:
            consent, consent_at = said, at
    return consents, (consent_at, floor, consent)
