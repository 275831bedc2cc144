"""Days and sessions that go, on both databases: what goes with them, what stays, and who may be at it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from stored import POSTGRES_ONLY, SQLITE_ONLY, Place, connected, contents, rows

from recommender.errors import StoreBusy
from recommender.events import Consent, Event, EventType, Subject
from recommender.store import DayRows, Decision, EventOutcome, EventStatus, Store, open_store

ANN = Subject.user("ann")
ACCEPTED, DUPLICATE, REJECTED = EventStatus.ACCEPTED, EventStatus.DUPLICATE, EventStatus.REJECTED


def did(
    event_id: str,
    at: datetime,
    *,
    who: Subject = ANN,
    item: str = "i1",
    type: EventType = EventType.CLICK,
    consent: Consent | None = None,
) -> Event:
    return Event(event_id, type, who, item, at=at, consent=consent)


def recorded(store: Store, *events: Event, now: datetime, default: Consent = Consent.ALL) -> list[EventOutcome]:
    return store.record_events(events, now=now, consent_default=default)


def statuses(store: Store, *events: Event, now: datetime) -> list[EventStatus]:
    return [outcome.status for outcome in recorded(store, *events, now=now)]


def sequences(store: Store, since: int = 0) -> list[int]:
    return [value for batch in store.iter_events(upto=store.change_sequence(), since=since) for value in batch["sequence"].to_pylist()]


def days_before(now: datetime, *days: int) -> list[datetime]:
    return [now - timedelta(days=each) for each in days]


def quiet_ones(store: Store, since: datetime, *, events_from: date | None = None) -> list[str]:
    """Ids of the sessions that would be forgotten."""
    quiet = store.expiry.quiet_sessions(since.date(), events_from=events_from)
    return sorted(subject.id for number, subject in store.subjects() if number in quiet.alone | quiet.linked)


def forget(store: Store, since: datetime, *, events_from: date | None = None) -> int:
    quiet = store.expiry.quiet_sessions(since.date(), events_from=events_from)
    return sum(store.expiry.forget(quiet, numbers) for numbers in quiet.parts())


def test_a_day_of_events_goes_whole_and_the_others_stay(shop: Store, now: datetime) -> None:
    old, later = days_before(now, 3, 2)
    recorded(shop, did("a", old), did("b", old), did("c", later), now=now)
    assert shop.expiry.event_days() == [DayRows(old.date(), 2), DayRows(later.date(), 1)]

    assert shop.expiry.drop_events(old.date()) == 2

    assert shop.expiry.event_days() == [DayRows(later.date(), 1)]
    assert shop.event_days() == [later.date()]
    assert shop.counts().events == shop.count_events(upto=shop.change_sequence()) == len(sequences(shop)) == 1
    assert shop.expiry.drop_events(old.date()) == 0


def test_what_a_person_did_stays_known_when_its_events_have_gone(shop: Store, now: datetime) -> None:
    (old,) = days_before(now, 30)
    acts = (did("a", old), did("b", old, item="i2", type=EventType.PURCHASE), did("c", old, item="i3", type=EventType.HIDE))
    recorded(shop, *acts, did("d", old, item="i4", type=EventType.IMPRESSION), now=now)
    before = shop.read_person(ANN).person

    shop.expiry.drop_events(old.date())

    after = shop.read_person(ANN).person
    assert after.history.tobytes() == before.history.tobytes()
    assert len(after.history) == 3
    assert (after.consumed, after.dismissed) == (before.consumed, before.dismissed)
    assert set(after.dismissed) == {3}
    assert after.seen.tobytes() == before.seen.tobytes()


def test_a_watermark_means_after_a_day_has_gone_what_it_meant_before(shop: Store, now: datetime) -> None:
    old, later = days_before(now, 3, 2)
    recorded(shop, did("a", old), did("b", later), now=now)
    mark = shop.change_sequence()
    recorded(shop, did("c", later), now=now)
    shop.expiry.drop_events(old.date())
    assert sequences(shop, since=mark) == [mark + 1]
    assert shop.change_sequence() == mark + 1
    assert shop.count_events(upto=mark) == 1


def test_an_event_of_a_day_that_has_expired_is_rejected_and_says_from_when_on_they_are_taken(shop: Store, now: datetime) -> None:
    old, last = days_before(now, 40, 30)
    recorded(shop, did("a", old), now=now)
    shop.expiry.keep_events_from(last.date())
    shop.expiry.drop_events(old.date())

    again, other, kept = recorded(shop, did("a", old), did("b", old), did("c", last), now=now)

    assert (again.status, other.status, kept.status) == (REJECTED, REJECTED, ACCEPTED)
    assert again.message == (
        f"at: given '{old.isoformat()}', allowed: {last.date()} or later; what was before has expired (setting event_days)"
    )
    assert len(shop.read_person(ANN).person.history) == 2
    assert shop.event_days() == [last.date()]


def test_what_another_process_let_expire_is_rejected_here_and_after_a_restart(shop: Store, place: Place, now: datetime) -> None:
    old, last = days_before(now, 40, 30)
    recorded(shop, did("a", old), now=now)
    with open_store(place) as other:
        other.expiry.keep_events_from(last.date())
        other.expiry.drop_events(old.date())
    assert statuses(shop, did("a", old), now=now) == [REJECTED]
    with open_store(place) as reopened:
        assert reopened.expiry.first_kept() == last.date()
        assert statuses(reopened, did("a", old), now=now) == [REJECTED]


def test_days_can_be_opened_again_for_an_archive(shop: Store, now: datetime) -> None:
    (old,) = days_before(now, 40)
    shop.expiry.keep_events_from(now.date())
    assert statuses(shop, did("a", old), now=now) == [REJECTED]
    shop.expiry.keep_events_from(None)
    assert shop.expiry.first_kept() is None
    assert statuses(shop, did("a", old), now=now) == [ACCEPTED]


def test_within_the_window_a_retry_is_a_duplicate_whatever_has_gone(shop: Store, now: datetime) -> None:
    old, last = days_before(now, 40, 14)
    recorded(shop, did("a", old), did("b", last), now=now)
    shop.expiry.keep_events_from(last.date())
    shop.expiry.drop_events(old.date())
    assert statuses(shop, did("b", last), did("b", now), now=now) == [DUPLICATE, DUPLICATE]


def test_a_walk_over_events_goes_on_when_a_day_before_it_goes(shop: Store, now: datetime) -> None:
    days = days_before(now, 5, 4, 3)
    recorded(shop, *(did(f"{place}-{each}", day) for place, day in enumerate(days) for each in range(4)), now=now)
    walk = shop.iter_events(upto=shop.change_sequence(), batch=2)
    seen = [len(next(walk))]

    shop.expiry.drop_events(days[0].date())
    shop.expiry.drop_events(days[1].date())

    seen += [len(batch) for batch in walk]
    assert seen == [2, 2, 2]


def test_a_day_of_the_served_log_goes_whole(store: Store, decision: Decision) -> None:
    older = replace(decision, id=b"o" * 16, at=decision.at - timedelta(days=2))
    store.record_decisions([decision, older])
    assert store.expiry.decision_days() == [DayRows(older.at.date(), 1), DayRows(decision.at.date(), 1)]
    assert store.expiry.drop_decisions(older.at.date()) == 1
    assert store.expiry.drop_decisions(older.at.date()) == 0
    assert store.get_decision(older.id) is None
    found = store.get_decision(decision.id)
    assert found is not None
    assert found.change == decision.change
    assert store.counts().decisions == 1


def test_bytes_of_a_day_are_about_what_it_takes(shop: Store, place: Place, now: datetime, decision: Decision) -> None:
    recorded(shop, *(did(f"event-{number:028}", now) for number in range(5_000)), now=now)
    shop.record_decisions([replace(decision, id=number.to_bytes(16, "big"), query=b"q" * 500) for number in range(2_000)])
    guessed = shop.expiry.event_bytes(shop.expiry.event_days()), shop.expiry.decision_bytes(shop.expiry.decision_days())
    shop.close()
    for table, guess in zip((f"events_{now:%Y%m%d}", f"decisions_{now:%Y%m%d}"), guessed, strict=True):
        if isinstance(place, Path):
            before = used_bytes(place)
            rows(place, f"DROP TABLE {table}")
            size = before - used_bytes(place)
        else:
            [(size,)] = rows(place, "SELECT pg_total_relation_size(CAST(? AS regclass))", table)
        assert 0.5 * size < guess < 1.5 * size


def used_bytes(path: Path) -> int:
    """Bytes of the pages that hold something."""
    [(pages,)], [(free,)] = rows_of_pragma(path, "page_count"), rows_of_pragma(path, "freelist_count")
    return 4096 * (pages - free)


def rows_of_pragma(path: Path, name: str) -> list[tuple[int]]:
    connection = connected(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchall()
    finally:
        connection.close()


@SQLITE_ONLY
def test_the_room_of_a_day_that_went_is_used_by_the_next(shop: Store, place: Place, now: datetime) -> None:
    assert isinstance(place, Path)
    sizes = []
    for day in range(6):
        at = now + timedelta(days=day)
        recorded(shop, *(did(f"{day}-{number}", at) for number in range(3_000)), now=at)
        if day:
            assert shop.expiry.drop_events((at - timedelta(days=1)).date()) == 3_000
        [(pages,)] = rows_of_pragma(place, "page_count")
        sizes.append(pages)
    assert sizes[-1] == sizes[-2] == sizes[1]


@SQLITE_ONLY
def test_dropping_a_day_writes_little(shop: Store, place: Place, now: datetime) -> None:
    assert isinstance(place, Path)
    recorded(shop, *(did(f"event-{number}", now) for number in range(10_000)), now=now)
    shop.close()
    size = place.stat().st_size
    with open_store(place) as store:
        store.expiry.drop_events(now.date())
        log = place.with_name(place.name + "-wal").stat().st_size
    assert log < size / 5


@POSTGRES_ONLY
def test_a_day_that_somebody_reads_for_long_stays_and_writers_do_not_wait_for_it(shop: Store, place: Place, now: datetime) -> None:
    recorded(shop, did("a", now), now=now)
    dumping = connected(place)
    dumping.execute("BEGIN")
    assert dumping.execute(f"SELECT count(*) FROM events_{now:%Y%m%d}").fetchone() == (1,)
    with pytest.raises(StoreBusy):
        shop.expiry.drop_events(now.date())
    assert statuses(shop, did("b", now), now=now) == [ACCEPTED]
    dumping.close()
    assert shop.expiry.drop_events(now.date()) == 2


def test_days_go_while_others_write_and_nothing_of_the_others_is_lost(shop: Store, place: Place, now: datetime) -> None:
    days = days_before(now, *range(60, 20, -1))
    recorded(shop, *(did(f"old-{day}", at) for day, at in enumerate(days)), now=now)
    accepted, stop = [0], threading.Event()

    def write() -> None:
        with open_store(place) as other:
            while not stop.is_set():
                accepted[0] += statuses(other, did(f"new-{accepted[0]}", now), now=now).count(ACCEPTED)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        shop.expiry.keep_events_from(now.date() - timedelta(days=20))
        assert [shop.expiry.drop_events(day.date()) for day in days] == [1] * 40
    finally:
        stop.set()
        writer.join()
    assert accepted[0] > 0
    assert shop.expiry.event_days() == [DayRows(now.date(), accepted[0])]
    assert len(sequences(shop)) == shop.counts().events == accepted[0]


# Sessions


def session(name: str) -> Subject:
    return Subject.session(name)


def test_a_session_that_nobody_came_back_to_is_forgotten_and_one_that_was_there_is_not(shop: Store, now: datetime) -> None:
    old, edge = days_before(now, 31, 30)
    recorded(
        shop,
        did("a", old, who=session("gone")),
        did("b", old, who=session("back")),
        did("c", edge.replace(hour=0), who=session("back")),
        did("d", old, who=session("looked")),
        did("e", now, who=session("looked"), item="i2", type=EventType.IMPRESSION),
        did("f", old, who=Subject.user("gone")),
        now=now,
    )
    quiet = shop.expiry.quiet_sessions(edge.date(), events_from=None)
    assert (quiet.oldest, quiet.newest, len(quiet)) == (old.date(), old.date(), 1)
    assert quiet.bytes > 0
    assert quiet_ones(shop, edge) == ["gone"]

    assert forget(shop, edge) == 1

    assert not shop.read_person(session("gone")).known
    assert shop.read_person(Subject.user("gone")).known
    assert len(shop.read_person(session("back")).person.history) == 2
    assert (shop.counts().sessions, shop.counts().users, shop.counts().events) == (2, 1, 6)
    assert forget(shop, edge) == 0


def test_a_forgotten_session_that_comes_back_begins_anew_under_another_number(shop: Store, now: datetime) -> None:
    (old,) = days_before(now, 31)
    recorded(shop, did("a", old, who=session("s")), now=now)
    [(before, _)] = shop.subjects()
    forget(shop, now)
    recorded(shop, did("b", now, who=session("s"), item="i2"), now=now)
    [(after, subject)] = shop.subjects()
    assert (subject, after > before) == (session("s"), True)
    assert shop.read_person(session("s")).person.history["item"].tolist() == [2]
    assert statuses(shop, did("a", old, who=session("s")), now=now) == [DUPLICATE]


@pytest.mark.parametrize("refusal", [Consent.NONE, Consent.TRAIN])
def test_a_refusal_is_not_forgotten_while_the_session_goes_on_without_saying_it_again(shop: Store, now: datetime, refusal: Consent) -> None:
    old, lately = days_before(now, 31, 2)
    recorded(shop, did("a", old, who=session("s"), consent=refusal), did("b", old, who=session("t"), consent=refusal), now=now)
    recorded(shop, did("c", lately, who=session("s")), now=now)
    assert quiet_ones(shop, lately) == ["t"]
    assert forget(shop, lately) == 1
    assert shop.read_person(session("s")).person.consent == refusal
    recorded(shop, did("d", now, who=session("s")), now=now)
    assert not len(shop.read_person(session("s")).person.history)


def test_who_comes_back_in_the_last_moment_is_not_forgotten(shop: Store, now: datetime) -> None:
    (old,) = days_before(now, 31)
    recorded(shop, *(did(f"a-{name}", old, who=session(name)) for name in ("acts", "links", "refused", "gone")), now=now)
    recorded(shop, did("b", old, who=session("silent"), consent=Consent.NONE), now=now)
    quiet = shop.expiry.quiet_sessions(now.date(), events_from=None)
    assert len(quiet) == 5

    recorded(shop, did("c", now, who=session("acts")), did("d", old, who=session("refused"), consent=Consent.NONE), now=now)
    recorded(shop, did("e", now, who=session("silent")), now=now)
    shop.link_session("links", "ann")

    assert sum(shop.expiry.forget(quiet, numbers) for numbers in quiet.parts()) == 1
    assert {subject.id for _, subject in shop.subjects()} == {"acts", "links", "refused", "silent", "ann"}
    assert shop.read_person(session("links")).linked


def test_a_linked_session_stays_as_long_as_one_of_its_events(shop: Store, now: datetime) -> None:
    old, later = days_before(now, 60, 40)
    recorded(shop, did("a", old, who=session("s")), did("b", later, who=session("s"), item="i2"), now=now)
    shop.link_session("s", "ann")
    recorded(shop, did("c", now, who=ANN, item="i3"), now=now)
    assert quiet_ones(shop, now) == []
    shop.expiry.drop_events(old.date())
    assert quiet_ones(shop, now) == []
    persons = {value for batch in shop.iter_events(upto=shop.change_sequence()) for value in batch["person"].to_pylist()}
    assert len(persons) == 1

    assert quiet_ones(shop, now, events_from=now.date()) == ["s"]
    shop.expiry.drop_events(later.date())
    assert forget(shop, now, events_from=now.date()) == 1

    assert not shop.read_person(session("s")).known
    assert shop.read_person(ANN).person.history["item"].tolist() == [1, 2, 3]
    assert rows_in_links(shop) == 0
    assert shop.counts().sessions == 0


def rows_in_links(store: Store) -> int:
    (count,) = store._readers.one("SELECT count(*) FROM links") or (0,)
    return int(count)


def test_a_session_that_has_just_been_linked_stays_though_it_has_no_event(shop: Store, now: datetime) -> None:
    recorded(shop, did("a", now, who=ANN), now=now)
    shop.link_session("fresh", "ann")
    assert quiet_ones(shop, now) == []
    assert forget(shop, now) == 0
    assert shop.read_person(session("fresh")).linked


def test_many_sessions_are_forgotten_in_parts(shop: Store, now: datetime) -> None:
    (old,) = days_before(now, 31)
    recorded(shop, *(did(f"a-{number}", old, who=session(f"s{number}")) for number in range(1_203)), now=now)
    quiet = shop.expiry.quiet_sessions(now.date(), events_from=None)
    assert [shop.expiry.forget(quiet, numbers) for numbers in quiet.parts()] == [500, 500, 203]
    assert shop.counts().sessions == 0


def test_looking_for_what_may_go_changes_nothing(shop: Store, place: Place, now: datetime) -> None:
    (old,) = days_before(now, 31)
    recorded(shop, did("a", old, who=session("s")), did("b", old, who=session("t"), consent=Consent.NONE), now=now)
    before = contents(place)
    quiet_ones(shop, now)
    shop.expiry.event_bytes(shop.expiry.event_days())
    assert contents(place) == before


def test_a_size_that_is_asked_for_when_the_day_has_gone_is_none(shop: Store, now: datetime) -> None:
    recorded(shop, did("a", now), now=now)
    days = shop.expiry.event_days()
    shop.expiry.drop_events(now.date())
    assert shop.expiry.event_bytes(days) == 0


@pytest.fixture(autouse=True)
def _sound(request: pytest.FixtureRequest, place: Place) -> Iterator[None]:
    """Whatever a test did, the file is sound in the end."""
    yield
    if isinstance(place, Path):
        connection = connected(place)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
