"""The log is carried over beside the writer, and does not grow without end."""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from stored import SQLITE_ONLY
from waiting import soon

from recommender.background import FURTHER
from recommender.events import Consent, Event, EventType, Subject
from recommender.store import Store, checkpointing
from recommender.store.checkpointing import Checkpointer
from recommender.store.sqlite_connection import connect

pytestmark = SQLITE_ONLY


def write(store: Store, now: datetime, call: int) -> None:
    events = [Event(f"{call}-{place}", EventType.CLICK, Subject.user(f"u{place}"), "i1") for place in range(100)]
    store.record_events(events, now=now, consent_default=Consent.ALL)


def test_what_was_written_reaches_the_file_without_anybody_closing_it(
    shop: Store, store_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "DUE_ROWS", 1_000)
    before = store_path.stat().st_size
    for call in range(20):
        write(shop, now, call)
    assert soon(lambda: store_path.stat().st_size > before)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_checkpoint_stands_back_behind_whoever_answers(
    shop: Store, store_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "DUE_ROWS", 50)
    write(shop, now, 0)

    def niceness() -> list[int]:
        there = [thread for thread in threading.enumerate() if thread.name == "store-checkpointer"]
        return [os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) for thread in there]

    mine = os.getpriority(os.PRIO_PROCESS, 0)
    assert soon(lambda: niceness() and min(niceness()) == max(mine, FURTHER))
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_the_log_begins_anew_once_it_is_long(shop: Store, store_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    log = store_path.with_name(store_path.name + "-wal")
    for call in range(20):
        write(shop, now, call)
    before = log.stat().st_size
    for call in range(20, 30):
        write(shop, now, call)
    of_ten_calls = log.stat().st_size - before
    monkeypatch.setattr(checkpointing, "DUE_ROWS", 200)
    monkeypatch.setattr(checkpointing, "LONG_LOG", 100)
    for call in range(30, 230):
        write(shop, now, call)
        time.sleep(0.002)
    assert shop.counts().events == 23_000
    assert log.stat().st_size < before + 10 * of_ten_calls


def test_a_checkpoint_that_cannot_be_made_is_made_later(
    shop: Store, store_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in range(5):
        write(shop, now, call)
    before = store_path.stat().st_size
    checkpointer = Checkpointer(store_path.with_name("nowhere.sqlite"))
    checkpointer.written(checkpointing.DUE_ROWS)
    assert soon(lambda: checkpointer._rows == 0)
    checkpointer._path = store_path
    checkpointer.written(checkpointing.DUE_ROWS)
    assert soon(lambda: store_path.stat().st_size > before)
    checkpointer.close()


def test_the_writer_catches_up_only_where_the_log_is_long(shop: Store, store_path: Path, now: datetime) -> None:
    statements: list[str] = []
    connection = connect(store_path, writer=True)
    connection.set_trace_callback(statements.append)
    checkpointer = Checkpointer(store_path)
    checkpointer.catch_up(connection)
    assert statements == []
    checkpointer._long = True
    checkpointer.catch_up(connection)
    checkpointer.catch_up(connection)
    assert statements == ["PRAGMA wal_checkpoint(PASSIVE)"]
    connection.close()


def test_while_the_writer_is_to_catch_up_no_other_checkpoint_is_in_its_way(
    shop: Store, store_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "LONG_LOG", 1)
    write(shop, now, 1)
    connection = connect(store_path, writer=True)
    checkpointer = Checkpointer(store_path)
    checkpointer.written(checkpointing.DUE_ROWS)
    assert soon(lambda: checkpointer._long)
    checkpointer.written(checkpointing.DUE_ROWS)
    time.sleep(0.05)
    assert checkpointer._rows == checkpointing.DUE_ROWS
    checkpointer.catch_up(connection)
    assert soon(lambda: checkpointer._rows == 0)
    checkpointer.close()
    connection.close()


def test_a_checkpoint_that_fails_keeps_nobody_from_writing(store_path: Path, shop: Store) -> None:
    connection = connect(store_path, writer=True)
    connection.close()
    checkpointer = Checkpointer(store_path)
    checkpointer._long = True
    checkpointer.catch_up(connection)
    assert not checkpointer._long
