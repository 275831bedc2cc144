"""Which ids the filter says must be looked up: never fewer than are stored, whoever wrote them and however it went."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from stored import Place, connected
from xxhash import xxh3_128_digest

from recommender.events import Consent, Event, EventType, Subject
from recommender.store import EventStatus, Store, open_store, recent_keys
from recommender.store.connection import Connection
from recommender.store.recent_keys import RecentKeys


def digest(event_id: str) -> bytes:
    return xxh3_128_digest(event_id.encode())


def click(event_id: str, at: datetime) -> Event:
    return Event(event_id, EventType.CLICK, Subject.user("u"), "i1", at=at)


def write(store: Store, now: datetime, *events: Event) -> list[EventStatus]:
    return [outcome.status for outcome in store.record_events(events, now=now, consent_default=Consent.ALL)]


@pytest.fixture
def connection(shop: Store, place: Place) -> Iterator[Connection]:
    opened = connected(place)
    yield opened
    opened.close()


def test_stored_ids_are_asked_for_and_almost_no_others(shop: Store, connection: Connection, now: datetime) -> None:
    stored = [f"e{place}" for place in range(2_000)]
    write(shop, now, *[click(event_id, now - timedelta(days=place % 4)) for place, event_id in enumerate(stored)])
    keys = RecentKeys()
    new = [digest(f"new{place}") for place in range(2_000)]
    asked = keys.to_ask(connection, "20260301", [*map(digest, stored), *new])
    assert [day for day, _ in asked] == ["20260314", "20260313", "20260312", "20260311"]
    for _, wanted in asked:
        assert set(map(digest, stored)) <= set(wanted)
        assert len(set(wanted) & set(new)) < 100


def test_nothing_is_asked_where_nothing_is_known(connection: Connection) -> None:
    assert RecentKeys().to_ask(connection, "20260301", [digest("a")]) == []


def test_days_before_the_window_are_not_asked(shop: Store, connection: Connection, now: datetime) -> None:
    write(shop, now, click("old", now - timedelta(days=9)), click("new", now))
    assert [day for day, _ in RecentKeys().to_ask(connection, "20260314", [digest("old"), digest("new")])] == ["20260314"]


def test_a_day_that_is_not_read_to_its_end_is_asked_for_every_id(
    shop: Store, connection: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_keys, "LOADED_PER_KEY", 10)
    write(shop, now, *[click(f"today{place}", now) for place in range(15)])
    write(shop, now, *[click(f"before{place}", now - timedelta(days=1)) for place in range(5)])
    keys, new = RecentKeys(), [digest("new")]
    assert keys.to_ask(connection, "20260301", new) == [("20260314", new), ("20260313", new)]
    assert keys.to_ask(connection, "20260301", new) == []


def test_what_another_store_wrote_in_between_is_asked_for(shop: Store, place: Place, now: datetime) -> None:
    write(shop, now, click("a", now))
    with open_store(place) as other:
        write(other, now, click("b", now), click("c", now - timedelta(days=3)))
        assert write(shop, now, click("b", now), click("c", now)) == [EventStatus.DUPLICATE] * 2
        assert write(other, now, click("a", now)) == [EventStatus.DUPLICATE]


def test_what_was_rolled_back_may_come_again_and_what_took_its_place_is_known(shop: Store, place: Place, now: datetime) -> None:
    keys, committed = RecentKeys(), connected(place)
    lost = connected(place)
    lost.execute("BEGIN")
    (sequence,) = lost.execute("SELECT value + 1 FROM counters WHERE name = 'sequence'").fetchone()
    lost.execute("INSERT INTO event_partitions VALUES ('20260314', 1, ?, ?)", (sequence, sequence))
    lost.execute(f"CREATE TABLE events_20260314 (sequence INTEGER PRIMARY KEY, key {lost.dialect.blob})")
    lost.execute("INSERT INTO events_20260314 VALUES (?, ?)", (sequence, digest("lost")))
    assert keys.to_ask(lost, "20260301", [digest("lost")]) == [("20260314", [digest("lost")])]
    lost.close()
    write(shop, now, click("instead", now))
    assert keys.to_ask(committed, "20260301", [digest("instead")]) == [("20260314", [digest("instead")])]
    committed.close()


def test_it_grows_with_what_it_holds(shop: Store, connection: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_keys, "FEWEST_BITS", 1_024)
    keys, draw, stored = RecentKeys(), random.Random(1), []
    for call in range(40):
        ids = [f"{call}-{place}" for place in range(50)]
        stored += map(digest, ids)
        write(shop, now, *[click(event_id, now - timedelta(days=draw.randrange(3))) for event_id in ids])
        new = [digest(f"{call}-new-{place}") for place in range(50)]
        asked = keys.to_ask(connection, "20260301", [*stored, *new])
        assert all(set(stored) <= set(wanted) for _, wanted in asked)
        assert all(len(set(wanted) & set(new)) < 15 for _, wanted in asked)


def test_what_was_just_written_is_known_without_being_read(connection: Connection) -> None:
    connection.execute("BEGIN")
    keys, mine = RecentKeys(), digest("mine")
    assert keys.to_ask(connection, "20260301", [mine]) == []
    connection.execute("INSERT INTO event_partitions VALUES ('20260314', 1, 700, 700)")
    keys.added("20260314", [mine], 700)
    # The day has no table, so that reading it would fail.
    assert keys.to_ask(connection, "20260301", [mine, digest("new")]) == [("20260314", [mine])]
    connection.execute("ROLLBACK")


def test_what_was_written_to_a_day_that_is_read_in_part_is_read_in_its_turn(
    shop: Store, connection: Connection, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_keys, "LOADED_PER_KEY", 2)
    write(shop, now, *[click(f"e{place}", now) for place in range(5)])
    keys, new = RecentKeys(), [digest("new")]
    assert keys.to_ask(connection, "20260301", new) == [("20260314", new)]
    write(shop, now, click("mine", now))
    keys.added("20260314", [digest("mine")], shop.change_sequence())
    assert keys.to_ask(connection, "20260301", new) == [("20260314", new)]
    assert keys.to_ask(connection, "20260301", [digest("e4")]) == [("20260314", [digest("e4")])]
    assert keys.to_ask(connection, "20260301", new) == []
