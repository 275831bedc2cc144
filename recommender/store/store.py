"""`Store`: every operation on the stored catalogue, events, people and served records, and how to open it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from recommender.errors import InvalidInput, NotFound
from recommender.events import Consent, Event, Subject, SubjectKind
from recommender.items import Item, ItemState, check_id
from recommender.people import Person
from recommender.store import counting, decisions, event_reading, events, item_reading, items, keys, leases, linking, people
from recommender.store.committer import Committer
from recommender.store.connection import Readers
from recommender.store.database import Database
from recommender.store.event_rows import EventRow
from recommender.store.expiry import Expiry
from recommender.store.places import database_at
from recommender.store.records import Change, Decision, EventOutcome, Lease, Linked, PersonRead, StoreCounts, StoredItem, Upserted
from recommender.store.schema import SCHEMA_VERSION, check_current, check_not_newer


def open_store(where: Path | str, *, create: bool = False, dedup_days: int = 14, future_tolerance_s: float = 300.0) -> Store:
    """Open the store in the SQLite file `where`, or in the PostgreSQL database that the URL `where` names.

    A URL is `postgresql://user:password@host:port/name`. `create` makes the store where there is none, a file with its folder and the
    tables of a database that must be there, and brings an older schema up to date. `dedup_days`: for how many
    days before now an event id is recognised whatever the event's time. `future_tolerance_s`: how far an event's time may
    lie ahead of the clock. Raises `NotFound` where there is no store and `create` is off, `SchemaMismatch` where the schema
    is newer, or older and `create` is off, `StoreUnwritable` where a file cannot be made, `StoreError` where a server cannot be
    reached, and `InvalidInput` for a URL that cannot be read.
    """
    database = database_at(where)
    if not database.exists():
        if not create:
            raise NotFound("store", database.name, "make one with: recommender import items … or recommender store migrate")
        database.migrate()
    else:
        version = database.version()
        if create and version != SCHEMA_VERSION:
            check_not_newer(version, database.name)
            database.migrate()
        else:
            check_current(version, database.name)
    return Store(database, dedup_days=dedup_days, future_tolerance_s=future_tolerance_s)


class Store:
    """An open store; made by `open_store`.

    All methods may be called from any thread, and several processes may have the same store open; open it anew in each
    process rather than carrying it over a fork. Write methods return once their effect is durable and visible to every
    reader. Any method raises `StoreError` where the store cannot be read or reached; write methods raise `StoreUnwritable`
    where the disk is full or read-only, and `StoreBusy` where the write lock was not free in 30 seconds; then nothing was
    changed. Only where a connection to PostgreSQL is lost in the middle of a commit may a write that raised `StoreError`
    have been kept; it may be repeated, since everything that was kept counts once. The next call connects anew.
    """

    def __init__(self, database: Database, *, dedup_days: int, future_tolerance_s: float) -> None:
        self.name = database.name
        """How messages call the store: its path, or its URL without the password."""
        self._dedup_days = dedup_days
        self._future_tolerance_s = future_tolerance_s
        self._readers = Readers(database)
        self._committer = Committer(database)
        self.expiry = Expiry(self._readers, self._committer)
        """What goes by age; `recommender.retention` says when."""
        # Used by the committer's thread only.
        self._recording = partial(events.record_all, events.Memory())

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still waiting, then close the store. Closing twice is fine; any other use afterwards raises `StoreError`."""
        self._committer.close()
        self._readers.close()

    # The catalogue

    def upsert_items(self, items_given: Sequence[Item], *, now: datetime) -> list[Upserted]:
        """Add items or replace them whole, in one transaction; one result per given item, in order.

        Of several items with one id the last counts, and all of them report what became of it. A HIDDEN item stays HIDDEN; a
        DELETED one becomes LIVE again under its old number, and no generation from before shows it. Items that equal what is
        stored take no sequence value.
        """
        if not items_given:
            return []
        prepared = items.prepare(items_given)
        return self._committer.run(lambda connection: items.upsert(connection, prepared, now), weight=len(items_given))

    def set_state(self, item_ids: Sequence[str], state: ItemState, *, now: datetime) -> tuple[int, list[str]]:
        """Set items LIVE or HIDDEN: how many changed, and the ids that no (undeleted) item has. Raises `InvalidInput` for DELETED."""
        items.check_settable(state)
        ids = list(dict.fromkeys(item_ids))
        return self._committer.run(lambda connection: items.set_state(connection, ids, state, now), weight=len(ids))

    def delete_items(self, item_ids: Sequence[str], *, now: datetime) -> tuple[int, list[str]]:
        """Delete items: how many were, and the ids that no (undeleted) item has. Content goes; the number stays taken for ever."""
        ids = list(dict.fromkeys(item_ids))
        return self._committer.run(lambda connection: items.set_state(connection, ids, ItemState.DELETED, now), weight=len(ids))

    def get_items(self, item_ids: Sequence[str]) -> list[StoredItem]:
        """The items that exist and are not deleted, in the order asked."""
        return item_reading.by_id(self._readers, item_ids)

    def get_items_by_number(self, numbers: Sequence[int]) -> list[StoredItem]:
        """The items that exist and are not deleted, in the order asked."""
        return item_reading.by_number(self._readers, numbers)

    def item_numbers(self, item_ids: Sequence[str]) -> dict[str, int]:
        """Numbers by id, of those ids that an undeleted item has."""
        return item_reading.numbers(self._readers.all, item_ids)

    def iter_items(self, *, upto: int, batch: int = 2000) -> Iterator[list[StoredItem]]:
        """All LIVE and HIDDEN items that were there at sequence value `upto`, by number, in lists of at most `batch`.

        Each list is a short read of its own, so that a long walk holds nobody up; an item that changed after `upto` comes in
        its present form, and one that was deleted meanwhile does not come, not even where it was made anew.
        """
        return item_reading.walk(self._readers, upto=upto, batch=batch)

    def catalogue_changes(self, since: int) -> list[Change]:
        """The items whose newest change has a sequence value above `since`, by that value."""
        return item_reading.changes(self._readers, since)

    def change_sequence(self) -> int:
        """The newest value of the one sequence that item changes and events take their values from; 0 before the first."""
        return counting.newest_sequence(self._readers)

    # Events

    def record_events(
        self, events_given: Sequence[Event], *, now: datetime, consent_default: Consent, oldest: datetime | None = None
    ) -> list[EventOutcome]:
        """Keep events and apply them to their people's state, in one transaction; one outcome per event, in order.

        An event is REJECTED where no (undeleted) item has its item id, or where its time lies before `oldest` (None: no bound),
        on a day that has expired, or further ahead of `now` than the tolerance; DUPLICATE where its id came earlier in the
        call, is stored on the same UTC day as its own time, or on any of the last `dedup_days` days before `now`. Each day
        with events has a table of its own, so that senders who are not trusted need an `oldest`.

        `now` stands in for an absent time. For an absent consent stands what the person last said, or `consent_default` where
        they never said anything; an event from before their last word gets only what `consent_default` and everything that
        they ever said allow. Events that are kept already stay as they are when an earlier word comes late.
        """
        if not events_given:
            return []
        rows, refused = events.rows_of(events_given, now=now)
        return self._record(rows, refused, now=now, consent_default=consent_default, oldest=oldest)

    def record_rows(self, rows: Sequence[EventRow], *, now: datetime, consent_default: Consent) -> list[EventOutcome]:
        """What `record_events` does, for many checked events that are there as plain values."""
        return self._record(list(enumerate(rows)), {}, now=now, consent_default=consent_default, oldest=None) if rows else []

    def iter_events(self, *, upto: int, since: int = 0, batch: int = 100_000, context: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """Events with `since` < sequence ≤ `upto`, by UTC day of their time, then by sequence, in batches of at most `batch` rows.

        Columns: sequence int64, person uint32 (number), item uint32 (number), type uint8, value, portion and dwell_s float32
        (NaN where absent), at int64 (µs since 1970), consent uint8, and for each name in `context` "context.<name>", what the events'
        contexts say under it as dictionary-encoded text, "" where they say nothing. Each batch takes short reads of its own. None are
        empty. Whoever was linked to a user up to the sequence value `upto` has that user's number.
        """
        return event_reading.walk(self._readers, since=since, upto=upto, batch=batch, context=context)

    def iter_newest_events(
        self, *, first_day: date, upto: int, since: int = 0, batch: int = 100_000, context: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Events that happened on the UTC day `first_day` or later, with `since` < sequence ≤ `upto`, in the columns of `iter_events`: the
        newest day first, and of each day what came last first. Whoever has enough may stop at any batch."""
        return event_reading.newest_first(self._readers, first_day=first_day, since=since, upto=upto, batch=batch, context=context)

    def count_events(self, *, upto: int) -> int:
        """How many events have a sequence value of at most `upto`."""
        return event_reading.count(self._readers, upto)

    def event_days(self) -> list[date]:
        """The UTC days that hold events, oldest first."""
        return [day.day for day in self.expiry.event_days()]

    def _record(
        self,
        rows: Sequence[tuple[int, EventRow]],
        refused: dict[int, EventOutcome],
        *,
        now: datetime,
        consent_default: Consent,
        oldest: datetime | None,
    ) -> list[EventOutcome]:
        arrivals, outcomes = events.prepare(rows, now=now, tolerance_s=self._future_tolerance_s, oldest=oldest)
        outcomes.update(refused)
        recent = events.first_recent_day(now, self._dedup_days)
        call = events.Call(arrivals, outcomes, recent, consent_default)
        recorded: list[EventOutcome] = self._committer.run_joint(self._recording, call, weight=len(rows))
        return recorded

    # People

    def read_person(self, subject: Subject) -> PersonRead:
        """State of `subject`, or of the user whom they were linked to, and the newest catalogue change, in one statement;
        `Person.unknown()` for someone without events."""
        return people.read(self._readers, subject)

    def read_people(self, *, kind: SubjectKind | None = None, limit: int | None = None) -> Iterator[tuple[Subject, Person]]:
        """All people (of one `kind`; at most `limit`) in the order in which they were first heard of, in short reads.

        Whoever was linked to a user is not there beside that user.
        """
        return people.walk(self._readers, kind=kind, limit=limit)

    def last_person(self) -> int:
        """The highest number of a person, 0 where there is none. Numbers start at 1, grow in the order in which people were first
        heard of, and may have gaps."""
        return people.last_number(self._readers)

    def subjects(self) -> Iterator[tuple[int, Subject]]:
        """Everybody with their number, by number, in short reads; also who was linked to a user, whose number their events have."""
        return people.subjects(self._readers)

    def read_span(self, *, after: int, upto: int) -> Iterator[tuple[Subject, PersonRead]]:
        """The people of `after` < number ≤ `upto`, by number, in short reads, so that several processes can share the walk over all.

        Whoever was linked to a user is not there beside that user.
        """
        return people.span(self._readers, after=after, upto=upto)

    def link_session(self, session_id: str, user_id: str) -> Linked:
        """Have a session be a user's: what it did joins the user's profile, and what it will do goes there, in one transaction.

        Histories become one by event time; of both, what was last said about consent holds, and what both ever said is the least that
        events from before get. Events that did not allow to personalise are in nobody's profile, and do not get into the user's.
        Events keep their number; `iter_events` gives all of them as one person's. A session or user not heard of before is made.
        Doing the same again changes nothing. Raises `InvalidInput`, and `AlreadyLinked` where the session is another user's.
        """
        session, user = Subject.session(session_id), Subject.user(user_id)
        return self._committer.run(lambda connection: linking.link(connection, session, user), weight=1)

    def merge_users(self, from_user_id: str, into_user_id: str) -> Linked:
        """Have the user `from_user_id` be the user `into_user_id`, whom the former's sessions follow; else as `link_session`.

        Raises `InvalidInput`, also where both are one id, and `AlreadyLinked` where `from` was merged into another one, or `into` is
        `from` already.
        """
        check_id(from_user_id, "from_user_id")
        check_id(into_user_id, "into_user_id")
        if from_user_id == into_user_id:
            raise InvalidInput("into_user_id", into_user_id, "another id than from_user_id")
        leaving, user = Subject.user(from_user_id), Subject.user(into_user_id)
        return self._committer.run(lambda connection: linking.link(connection, leaving, user), weight=1)

    # The served record

    def record_decisions(self, decisions_given: Sequence[Decision]) -> None:
        """Keep served records, in one transaction. A decision id that is there on the same day already is left as it is."""
        if decisions_given:
            rows = decisions.prepare(decisions_given)
            self._committer.run(lambda connection: decisions.record(connection, rows), weight=len(decisions_given))

    def get_decision(self, decision_id: bytes) -> Decision | None:
        """The served record of `decision_id`, None where there is none (any more)."""
        return decisions.read(self._readers, decision_id)

    def decision_ids(self) -> Iterator[bytes]:
        """The ids of all served records, newer days first."""
        return decisions.ids(self._readers)

    # Leases

    def take_lease(self, name: str, *, owner: str, purpose: str, now: datetime, length: timedelta) -> Lease:
        """Have `owner` hold the lease `name` for `purpose` until `length` from `now`, with a fence above every one before.

        The machines' clocks must agree to well within `length`. Raises `Locked` saying who holds it where that has not run out.
        """
        return self._committer.run(lambda connection: leases.take(connection, name, owner, purpose, now, length), weight=1)

    def renew_lease(self, lease: Lease, *, now: datetime, length: timedelta) -> bool:
        """Have `lease` end at `length` from `now`, also where it has run out and nobody has taken it since; False where somebody has, or
        where it was given back."""
        return self._committer.run(lambda connection: leases.renew(connection, lease, now, length), weight=1)

    def release_lease(self, lease: Lease) -> None:
        """Give `lease` back; nothing changes where another one has it."""
        self._committer.run(lambda connection: leases.release(connection, lease), weight=1)

    def lease(self, name: str) -> Lease | None:
        """The lease `name` as it was taken last, None where it never was; `until` lies in the past where it is free."""
        return leases.last(self._readers, name)

    # Keys and small facts

    def token_keys(self) -> list[tuple[str, bytes]]:
        """Keys for signing tokens as (id, 32 random bytes), newest first; the first call on a store makes one."""
        return keys.read(self._readers) or self._committer.run(keys.ensure, weight=1)

    def counts(self) -> StoreCounts:
        """How much the store holds."""
        return counting.counts(self._readers)
