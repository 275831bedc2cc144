from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import POSTGRES_ONLY, SQLITE_ONLY, Place, connected, rows, turn_taken
from waiting import soon

from recommender.errors import StoreBusy, StoreError, StoreUnwritable
from recommender.events import Consent, Event, EventType, Subject
from recommender.store import Decision, EventStatus, Store, keys, migrate_store, open_store
from recommender.store.committer import Committer
from recommender.store.connection import Connection
from recommender.store.filelock import FileLock
from recommender.store.places import database_at

Work = Callable[[Connection], object]


def noting(name: str) -> Work:
    return lambda connection: connection.execute("INSERT INTO counters (name, value) VALUES (?, 0)", (name,)).rowcount


def names(place: Place) -> set[str]:
    return {name for (name,) in rows(place, "SELECT name FROM counters")} - {"sequence", "item", "person"}


def committing(place: Place, *, lock_timeout_s: float = 30.0) -> Committer:
    return Committer(database_at(place), lock_timeout_s=lock_timeout_s)


@pytest.fixture
def made(store: Store, place: Place) -> Place:
    """Where an empty store is that nobody has open."""
    store.close()
    return place


def wait(committer: Committer, works: int) -> bool:
    """Whether so many `works` are waiting soon."""
    return soon(lambda: len(committer._waiting) == works)


def in_one_group(committer: Committer, path: Place, works: list[Work]) -> list[Future[object]]:
    """Have `works` wait together while it is another writer's turn, then let them go; their results, done."""
    with ThreadPoolExecutor(len(works)) as pool, turn_taken(path):
        futures = [pool.submit(committer.run, work, weight=1) for work in works]
        assert wait(committer, len(works))
    return futures


@SQLITE_ONLY
def test_commits_are_synced_to_the_disk_before_they_are_acknowledged(made: Place) -> None:
    def setting(name: str) -> Work:
        return lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0]

    committer = committing(made)
    full = 2
    assert committer.run(setting("synchronous"), weight=1) == full
    assert committer.run(setting("journal_mode"), weight=1) == "wal"
    committer.close()


@POSTGRES_ONLY
def test_commits_are_on_the_servers_disk_before_they_are_acknowledged_whatever_it_is_set_to(made: Place) -> None:
    (name,) = rows(made, "SELECT current_database()")[0]
    rows(made, f"ALTER DATABASE {name} SET synchronous_commit = off")
    committer = committing(made)
    assert committer.run(lambda connection: connection.execute("SHOW synchronous_commit").fetchone(), weight=1) == ("on",)
    committer.close()


@POSTGRES_ONLY
def test_a_turn_sees_what_the_one_before_it_has_committed_whatever_the_server_is_set_to(made: Place) -> None:
    def newest(connection: Connection) -> object:
        return connection.execute("SELECT value FROM counters WHERE name = 'sequence'").fetchone()[0]

    def somebody_waits() -> bool:
        return bool(rows(made, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))

    (name,) = rows(made, "SELECT current_database()")[0]
    rows(made, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    committer = committing(made)
    with ThreadPoolExecutor(1) as pool, closing(connected(made)) as other:
        other.execute("BEGIN")
        other.execute("UPDATE counters SET value = 17 WHERE name = 'sequence'")
        waiting = pool.submit(committer.run, newest, weight=1)
        assert soon(somebody_waits)
        other.commit()
        assert waiting.result() == 17
    committer.close()


@POSTGRES_ONLY
def test_what_waits_together_is_one_transaction_of_the_server(made: Place) -> None:
    def transaction(connection: Connection) -> object:
        return connection.execute("SELECT txid_current()").fetchone()[0]

    committer = committing(made)
    futures = in_one_group(committer, made, [transaction for _ in range(30)])
    assert len({future.result() for future in futures}) == 1
    committer.close()


def test_many_threads_write_and_every_event_counts_once(shop: Store, now: datetime) -> None:
    def write(writer: int) -> list[EventStatus]:
        statuses = []
        for place in range(8):
            mine = Event(f"{writer}-{place}", EventType.CLICK, Subject.user(f"u{writer}"), f"i{place + 1}", at=now)
            shared = Event(f"shared-{place}", EventType.CLICK, Subject.user("all"), "i9", at=now)
            outcomes = shop.record_events([mine, shared], now=now, consent_default=Consent.ALL)
            statuses += [outcome.status for outcome in outcomes]
        return statuses

    with ThreadPoolExecutor(24) as pool:
        statuses = [status for of_one in pool.map(write, range(24)) for status in of_one]
    assert statuses.count(EventStatus.ACCEPTED) == 24 * 8 + 8
    assert statuses.count(EventStatus.DUPLICATE) == 24 * 8 - 8
    assert shop.counts().events == 24 * 8 + 8
    for writer in range(24):
        assert shop.read_person(Subject.user(f"u{writer}")).person.history["item"].tolist() == list(range(1, 9))
    assert len(shop.read_person(Subject.user("all")).person.history) == 8


def test_an_event_is_in_the_next_read_of_any_thread(shop: Store, now: datetime) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        for place in range(1, 20):
            event = Event(f"e{place}", EventType.CLICK, Subject.user("u"), f"i{place}", at=now)
            shop.record_events([event], now=now, consent_default=Consent.ALL)
            read = elsewhere.submit(shop.read_person, Subject.user("u")).result()
            assert read.person.history["item"].tolist() == list(range(1, place + 1))


@SQLITE_ONLY
def test_what_waits_together_is_committed_together(made: Place) -> None:
    committer = committing(made)
    statements: list[str] = []
    committer.run(lambda connection: connection.set_trace_callback(statements.append), weight=1)
    statements.clear()
    futures = in_one_group(committer, made, [noting(f"n{place}") for place in range(30)])
    assert [future.result() for future in futures] == [1] * 30
    assert statements.count("COMMIT") == 1
    assert len(names(made)) == 30
    committer.close()


def test_a_job_that_fails_is_undone_alone_and_its_caller_told(made: Place) -> None:
    def fails(connection: Connection) -> None:
        noting("half")(connection)
        raise KeyError("broken")

    committer = committing(made)
    before, broken, doubled, after = in_one_group(committer, made, [noting("a"), fails, noting("sequence"), noting("b")])
    assert (before.result(), after.result()) == (1, 1)
    with pytest.raises(KeyError, match="broken"):
        broken.result()
    with pytest.raises(StoreError, match=r"(?i)unique constraint"):
        doubled.result()
    assert names(made) == {"a", "b"}
    committer.close()


class Panic(BaseException):
    """What is no `Exception`, as libraries written in other languages raise it."""


def test_whatever_a_job_raises_its_caller_gets_it_and_the_next_ones_are_done(made: Place) -> None:
    def panics(connection: Connection) -> None:
        noting("half")(connection)
        raise Panic

    committer = committing(made, lock_timeout_s=5)
    before, broken, after = in_one_group(committer, made, [noting("a"), panics, noting("b")])
    assert (before.result(), after.result()) == (1, 1)
    with pytest.raises(Panic):
        broken.result()
    assert committer.run(noting("c"), weight=1) == 1
    assert names(made) == {"a", "b", "c"}
    committer.close()


def test_a_job_that_spoils_the_connection_costs_its_group_only(made: Place) -> None:
    committer = committing(made, lock_timeout_s=5)
    for future in in_one_group(committer, made, [noting("a"), lambda connection: connection.close(), noting("b")]):
        with pytest.raises(StoreError):
            future.result()
    assert committer.run(noting("c"), weight=1) == 1
    assert names(made) == {"c"}
    committer.close()


@SQLITE_ONLY
def test_a_lock_that_cannot_be_let_go_is_said_and_writes_go_on_once_it_is_mended(made: Place) -> None:
    committer = committing(made, lock_timeout_s=5)
    assert committer.run(noting("a"), weight=1) == 1
    descriptor = committer._writer._lock._descriptor
    kept = os.dup(descriptor)
    committer.run(lambda connection: os.close(descriptor), weight=1)
    with pytest.raises(StoreUnwritable, match="cannot be locked"):
        committer.run(noting("b"), weight=1)
    os.dup2(kept, descriptor)
    os.close(kept)
    assert committer.run(noting("c"), weight=1) == 1
    committer.close()
    assert names(made) == {"a", "c"}


def test_a_commit_that_fails_fails_all_of_its_jobs_and_none_after_it(made: Place) -> None:
    def orphaned(connection: Connection) -> None:
        connection.execute("CREATE TABLE child (of TEXT REFERENCES counters (name) DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO child (of) VALUES ('nobody')")

    committer = committing(made)
    for future in in_one_group(committer, made, [noting("a"), orphaned, noting("b")]):
        with pytest.raises(StoreError, match=r"(?i)foreign key constraint"):
            future.result()
    assert committer.run(noting("c"), weight=1) == 1
    assert names(made) == {"c"}
    committer.close()


def test_a_token_key_that_another_has_just_made_is_used(made: Place) -> None:
    committer = committing(made)
    first, second = in_one_group(committer, made, [keys.ensure, keys.ensure])
    assert first.result() == second.result()
    committer.close()


def test_a_lock_that_stays_taken_is_said_and_the_write_does_not_happen_later(made: Place) -> None:
    committer = committing(made, lock_timeout_s=0.2)
    with turn_taken(made), pytest.raises(StoreBusy, match="try again"):
        committer.run(noting("late"), weight=1)
    assert committer.run(noting("next"), weight=1) == 1
    committer.close()
    assert names(made) == {"next"}


@SQLITE_ONLY
def test_a_database_that_cannot_grow_refuses_and_works_again_with_room(made: Place) -> None:
    def pages(limit: int) -> Work:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {limit}").fetchone()

    def big(connection: Connection) -> int:
        return connection.execute("INSERT INTO token_keys (id, secret) VALUES ('big', zeroblob(3000000))").rowcount

    committer = committing(made)
    committer.run(pages(100), weight=1)
    for future in in_one_group(committer, made, [big, big]):
        with pytest.raises(StoreUnwritable, match="full"):
            future.result()
    assert committer.run(noting("small"), weight=1) == 1
    committer.run(pages(1_000_000), weight=1)
    assert committer.run(big, weight=1) == 1
    committer.close()
    assert names(made) == {"small"}


@SQLITE_ONLY
def test_a_file_that_has_vanished_is_said_to_every_caller_and_not_made_anew(made: Place) -> None:
    committer = committing(made)
    assert isinstance(made, Path)
    for file in made.parent.glob("store.sqlite*"):
        if not file.name.endswith(".lock"):
            file.unlink()
    with ThreadPoolExecutor(2) as pool, closing(FileLock(made)) as lock:
        with lock.held():
            futures = [pool.submit(committer.run, noting(name), weight=1) for name in "ab"]
            assert wait(committer, 2)
        for future in futures:
            with pytest.raises(StoreUnwritable):
                future.result()
    assert not made.exists()
    migrate_store(made)
    assert committer.run(noting("c"), weight=1) == 1
    committer.close()


def test_closing_writes_what_is_waiting(made: Place) -> None:
    committer = committing(made)
    with ThreadPoolExecutor(2) as pool:
        with turn_taken(made):
            waiting = pool.submit(committer.run, noting("waiting"), weight=1)
            assert wait(committer, 1)
            closing = pool.submit(committer.close)
        closing.result()
        assert waiting.result() == 1
    assert names(made) == {"waiting"}


def test_a_closed_store_says_so(shop: Store, now: datetime) -> None:
    shop.counts()
    shop.close()
    shop.close()
    with pytest.raises(StoreError, match="closed"):
        shop.counts()
    with pytest.raises(StoreError, match="closed"):
        shop.delete_items(["i1"], now=now)
    with ThreadPoolExecutor(1) as elsewhere, pytest.raises(StoreError, match="closed"):
        elsewhere.submit(shop.counts).result()


def test_the_connections_of_ended_threads_are_closed(shop: Store) -> None:
    shop.counts()
    for _ in range(20):
        thread = threading.Thread(target=shop.counts)
        thread.start()
        thread.join()
    assert len(shop._readers._held) == 1


def test_jobs_of_different_kinds_share_the_store(shop: Store, now: datetime, decision: Decision) -> None:
    with ThreadPoolExecutor(4) as pool:
        jobs: list[Future[Any]] = [
            pool.submit(shop.record_decisions, [decision]),
            pool.submit(shop.delete_items, ["i2"], now=now),
            pool.submit(shop.token_keys),
            pool.submit(
                shop.record_events,
                [Event("e", EventType.CLICK, Subject.user("u"), "i1")],
                now=now,
                consent_default=Consent.ALL,
            ),
        ]
        for job in jobs:
            job.result()
    counts = shop.counts()
    assert (counts.decisions, counts.items_deleted, counts.events, len(shop.token_keys())) == (1, 1, 1, 1)


def jointly(committer: Committer, path: Place, work: Callable[..., Any], given: list[Any]) -> list[Future[Any]]:
    """Have the same `work` wait with each of what is `given`, one behind the other, while it is another writer's turn; their results."""
    with ThreadPoolExecutor(len(given)) as pool, turn_taken(path):
        futures = []
        for each in given:
            futures.append(pool.submit(committer.run_joint, work, each, weight=1))
            assert wait(committer, len(futures))
    return futures


def test_what_waits_for_the_same_work_is_done_at_once(made: Place) -> None:
    told: list[list[str]] = []

    def work(connection: Connection, given: list[str]) -> list[str]:
        told.append(given)
        for name in given:
            noting(name)(connection)
        return [name.upper() for name in given]

    committer = committing(made)
    futures = jointly(committer, made, work, ["a", "b", "c"])
    assert [future.result() for future in futures] == ["A", "B", "C"]
    assert told in ([["a", "b", "c"]], [["a"], ["b", "c"]])
    assert names(made) == {"a", "b", "c"}
    committer.close()


def test_one_that_cannot_be_helped_does_not_hold_up_the_others(made: Place) -> None:
    def work(connection: Connection, given: list[str]) -> list[str]:
        for name in given:
            noting(name)(connection)
            if name == "bad":
                raise ValueError(name)
        return given

    committer = committing(made)
    first, bad, last = jointly(committer, made, work, ["a", "bad", "b"])
    assert (first.result(), last.result()) == ("a", "b")
    with pytest.raises(ValueError, match="bad"):
        bad.result()
    assert names(made) == {"a", "b"}
    committer.close()


def test_calls_that_are_recorded_together_come_out_as_one_after_the_other(
    shop: Store, place: Place, copied: Callable[[], Place], now: datetime
) -> None:
    rng = np.random.default_rng(3)
    calls = [
        [
            Event(
                f"event-{rng.integers(60)}",
                [EventType.CLICK, EventType.LIKE, EventType.IMPRESSION][rng.integers(3)],
                Subject.user(f"u{rng.integers(4)}"),
                f"i{rng.integers(1, 12)}" if rng.random() < 0.9 else "nothing",
                at=now - timedelta(minutes=int(rng.integers(90))) if rng.random() < 0.9 else now + timedelta(days=3),
            )
            for _ in range(rng.integers(1, 4))
        ]
        for _ in range(50)
    ]
    with open_store(copied()) as alone:
        expected = [alone.record_events(call, now=now, consent_default=Consent.ALL) for call in calls]
        people = list(alone.read_people())
    with ThreadPoolExecutor(len(calls)) as pool, turn_taken(place):
        futures = []
        for call in calls:
            futures.append(pool.submit(shop.record_events, call, now=now, consent_default=Consent.ALL))
            assert wait(shop._committer, len(futures))
    assert [future.result() for future in futures] == expected
    for (subject, person), (other, as_before) in zip(shop.read_people(), people, strict=True):
        assert subject == other
        assert person.history.tobytes() == as_before.history.tobytes()
        assert person.consumed == as_before.consumed
