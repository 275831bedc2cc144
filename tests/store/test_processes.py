from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from stored import SQLITE_ONLY, Place, contents

import recommender
from recommender.events import Consent, Event, EventType, Subject
from recommender.store import SCHEMA_VERSION, EventStatus, Store, migrate_store, open_store

PROGRAM = Path(__file__).with_name("writing_program.py")
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def started(place: Place, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(recommender.__file__).parents[1])}
    command = [sys.executable, str(PROGRAM), str(place), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def printed(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output.splitlines()


def again(store: Store, ids: list[str], user: str) -> set[EventStatus]:
    events = [Event(event_id, EventType.CLICK, Subject.user(user), "i1") for event_id in ids]
    return {outcome.status for outcome in store.record_events(events, now=NOW, consent_default=Consent.ALL)}


def test_two_processes_write_at_once_and_nothing_is_lost_or_counted_twice(shop: Store, place: Place) -> None:
    both = [started(place, "events", prefix, 40, 5) for prefix in ("p", "q")]
    (mine,) = shop.record_events([Event("p-7", EventType.CLICK, Subject.user("me"), "i1")], now=NOW, consent_default=Consent.ALL)
    lines = [line.split() for process in both for line in printed(process)]
    assert len(lines) == 400
    refused = [event_id for status, event_id in lines if status != "accepted"]
    # Whoever came first with p-7 has it; the other one was told so.
    assert refused == (["p-7"] if mine.status is EventStatus.ACCEPTED else [])
    upto = shop.change_sequence()
    sequences = sorted(value for batch in shop.iter_events(upto=upto) for value in batch["sequence"].to_pylist())
    assert sequences == list(range(601, 601 + 400))
    assert shop.counts().events == shop.count_events(upto=upto) == 400


def test_below_a_value_of_the_sequence_nothing_comes_later_while_others_write(shop: Store, place: Place) -> None:
    both = [started(place, "events", prefix, 400, 3) for prefix in ("p", "q")]
    marks = []
    while any(process.poll() is None for process in both):
        upto = shop.change_sequence()
        values = sorted(value for batch in shop.iter_events(upto=upto) for value in batch["sequence"].to_pylist())
        assert values == list(range(601, upto + 1))
        marks.append(upto)
    assert [len(printed(process)) for process in both] == [1_200, 1_200]
    assert any(600 < mark < shop.change_sequence() for mark in marks)


def test_another_process_recognises_what_this_one_recorded(shop: Store, place: Place) -> None:
    again(shop, ["p-0", "p-1"], "p")
    assert printed(started(place, "events", "p", 1, 3)) == ["duplicate p-0", "duplicate p-1", "accepted p-2"]
    assert len(shop.read_person(Subject.user("p")).person.history) == 3


def test_what_was_acknowledged_survives_a_killed_writer(shop: Store, place: Place) -> None:
    before = 0
    for round_number, acknowledged in enumerate((3, 40, 90)):
        user = f"victim{round_number}"
        process = started(place, "events", user, 100_000, 3)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGKILL
        ids = [line.split()[1] for line in [*lines, *rest.splitlines(keepends=True)] if line.endswith("\n")]
        assert len(ids) >= acknowledged
        with open_store(place) as reopened:
            assert again(reopened, ids, user) == {EventStatus.DUPLICATE}
            person = reopened.read_person(Subject.user(user)).person
            stored = sum(batch.num_rows for batch in reopened.iter_events(upto=reopened.change_sequence()))
            assert stored == reopened.counts().events
        # A call is kept whole or not at all, with its effect on the person, whether or not it could still be acknowledged.
        assert (stored - before) % 3 == 0
        assert len(person.history) == min(200, stored - before)
        before = stored


def test_a_killed_writer_leaves_every_link_whole_or_not_made(shop: Store, place: Place) -> None:
    for acknowledged in (1, 30):
        user = f"user{acknowledged}"
        process = started(place, "links", user, user)
        assert process.stdout is not None
        for linked in range(acknowledged):
            assert process.stdout.readline() == f"linked {linked}\n"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        with open_store(place) as reopened:
            whole = reopened.read_person(Subject.user(user)).person
            upto = reopened.change_sequence()
            persons = {row["item"]: row["person"] for batch in reopened.iter_events(upto=upto) for row in batch.to_pylist()}
            mine = {subject.id: number for number, subject in reopened.subjects()}
            links = 0
            for session in (session for session in mine if session.startswith(f"{user}-")):
                number = int(session.removeprefix(f"{user}-")) + 1
                read = reopened.read_person(Subject.session(session))
                links += read.linked
                assert (number in whole.consumed) == read.linked
                assert read.person.history["item"].tolist() == (whole.history["item"].tolist() if read.linked else [number])
                if user == "user1":
                    assert persons[number] == mine[user if read.linked else session]
            assert links == len(whole.consumed) == len(whole.history) >= acknowledged
            # And it goes on from there.
            assert not reopened.link_session(f"{user}-0", user).new


def test_processes_that_link_the_same_sessions_at_once_give_each_to_one_of_their_users(shop: Store, place: Place) -> None:
    both = [started(place, "links", "s", user, 60) for user in ("ann", "bob")]
    lines = [[line.split()[0] for line in printed(process)] for process in both]
    assert [sorted(pair) for pair in zip(*lines, strict=True)] == [["linked", "refused"]] * 60
    for user, told in zip(("ann", "bob"), lines, strict=True):
        person = shop.read_person(Subject.user(user)).person
        theirs = [place + 1 for place, what in enumerate(told) if what == "linked"]
        assert list(person.consumed) == theirs
        assert sorted(person.history["item"].tolist()) == sorted(2 * theirs)
    assert shop.counts().events == 120
    assert shop.counts().sessions == 0


@SQLITE_ONLY
def test_a_full_disk_is_said_and_loses_nothing_acknowledged(shop: Store, place: Place) -> None:
    lines = printed(started(place, "until-full"))
    ids = [line.split()[1] for line in lines if line.startswith("accepted")]
    (unwritable,) = [line for line in lines if line.startswith("unwritable")]
    assert "disk is full" in unwritable
    assert f"known {min(200, len(ids))}" in lines
    assert lines[-1] == "again accepted"
    assert len(ids) > 50
    assert again(shop, ids, "big") == {EventStatus.DUPLICATE}
    assert shop.counts().events == len(ids) + 1


def test_processes_that_start_together_agree_on_one_token_key(store: Store, place: Place) -> None:
    both = [started(place, "keys") for _ in range(2)]
    keys = [printed(process) for process in both]
    assert keys[0] == keys[1] == [" ".join(f"{key_id}:{secret.hex()}" for key_id, secret in store.token_keys())]
    assert len(store.token_keys()) == 1


def test_processes_that_migrate_together_make_one_store(place: Place) -> None:
    both = [started(place, "migrate") for _ in range(2)]
    versions = [printed(process) for process in both]
    assert versions == [[migrate_store(place)]] * 2
    with open_store(place) as store:
        assert store.change_sequence() == 0


@SQLITE_ONLY
def test_a_migration_that_finds_the_disk_full_leaves_the_file_as_it_was(place: Place) -> None:
    (line,) = printed(started(place, "migrate-full"))
    assert line.startswith("unwritable")
    assert contents(place) == ["BEGIN TRANSACTION;", "COMMIT;"]
    assert migrate_store(place) == SCHEMA_VERSION


def test_opening_and_reading_takes_no_migration_library(store: Store, place: Place) -> None:
    driver = "" if isinstance(place, Path) else "psycopg"
    assert printed(started(place, "modules")) == [driver]
