"""What PostgreSQL alone can do to a store: be lost and come back, refuse, and lie in another place than this program."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import pytest
from postgres_cluster import PASSWORD, SHOWN_PASSWORD, Cluster
from stored import rows

from recommender.errors import InvalidInput, SchemaMismatch, StoreBusy, StoreError, StoreUnwritable
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.store import EventStatus, Store, migrate_store, open_store, store_exists
from recommender.store.committer import Committer
from recommender.store.connection import Connection
from recommender.store.places import database_at

ANN = Subject.user("ann")
ACCEPTED, DUPLICATE = EventStatus.ACCEPTED, EventStatus.DUPLICATE


@pytest.fixture
def backend() -> str:
    """What the stores of these tests lie in."""
    return "postgres"


@pytest.fixture
def url(place: Path | str) -> str:
    """The URL of the test's database."""
    assert isinstance(place, str)
    return place


def record(store: Store, event_id: str, now: datetime) -> EventStatus:
    [outcome] = store.record_events([Event(event_id, EventType.CLICK, ANN, "i1")], now=now, consent_default=Consent.ALL)
    return outcome.status


def seen(store: Store) -> int:
    return len(store.read_person(ANN).person.history)


def test_connections_that_were_cut_while_nobody_used_them_are_not_noticed(shop: Store, url: str, postgres: Cluster, now: datetime) -> None:
    assert (record(shop, "a", now), seen(shop)) == (ACCEPTED, 1)
    postgres.cut(url)
    assert (seen(shop), record(shop, "b", now)) == (1, ACCEPTED)
    postgres.cut(url)
    assert (record(shop, "b", now), seen(shop)) == (DUPLICATE, 2)


def test_while_the_server_is_gone_calls_say_so_and_afterwards_they_go_on(shop: Store, postgres: Cluster, now: datetime) -> None:
    assert (record(shop, "a", now), seen(shop)) == (ACCEPTED, 1)
    # As if it had crashed: what was acknowledged is in its log.
    postgres.stop(signal.SIGQUIT)
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match="cannot be reached") as read:
                seen(shop)
            with pytest.raises(StoreError, match="cannot be reached") as write:
                record(shop, "b", now)
            assert type(read.value) is type(write.value) is StoreError
    finally:
        postgres.start()
    assert (seen(shop), record(shop, "b", now), record(shop, "a", now)) == (1, ACCEPTED, DUPLICATE)
    assert seen(shop) == 2


def test_a_connection_that_is_lost_in_the_midst_of_its_work_costs_its_callers_only(shop: Store, url: str, postgres: Cluster) -> None:
    def lost(connection: Connection) -> None:
        connection.execute("INSERT INTO counters VALUES ('half', 0)")
        postgres.cut(url)
        connection.execute("INSERT INTO counters VALUES ('other half', 0)")

    committer = Committer(database_at(url))
    with pytest.raises(StoreError, match="cannot be reached"):
        committer.run(lost, weight=1)
    assert committer.run(lambda connection: connection.execute("INSERT INTO counters VALUES ('next', 0)").rowcount, weight=1) == 1
    committer.close()
    assert {name for (name,) in rows(url, "SELECT name FROM counters")} == {"sequence", "item", "person", "next"}


class Line:
    """A line to the server at `port`, which is cut as soon as it has taken a COMMIT there, before or after the server did it."""

    def __init__(self, port: int, *, before: bool) -> None:
        self._port = port
        self._before = before
        self.cuts = 0
        self.left = 0
        self._ends = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._ends[0].getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        for end in self._ends:
            _shut(end)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _start(self, work: Callable[..., None], *given: object) -> None:
        self._threads.append(threading.Thread(target=work, args=given))
        self._threads[-1].start()

    def _accept(self) -> None:
        # Shutting the listener down ends the wait with an error.
        with suppress(OSError):
            while True:
                client, _ = self._ends[0].accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [client, server]
                cut = threading.Event()
                self._start(self._carry, client, server, cut, True)
                self._start(self._carry, server, client, cut, False)

    def _carry(self, source: socket.socket, target: socket.socket, cut: threading.Event, asking: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if asking and b"COMMIT\0" in data and self.left:
                    self.left -= 1
                    self.cuts += 1
                    cut.set()
                    if self._before:
                        break
                elif not asking and cut.is_set():
                    break
                target.sendall(data)
        _shut(source)
        _shut(target)


def _shut(end: socket.socket) -> None:
    # Whoever is at the other end may have shut it already.
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(request: pytest.FixtureRequest, postgres: Cluster) -> Iterator[Line]:
    with closing(Line(postgres.port, before=request.param)) as line:
        yield line


@pytest.mark.parametrize(("line", "kept"), [(True, False), (False, True)], indirect=["line"], ids=["before", "after"])
def test_a_write_whose_commit_was_not_answered_is_told_as_failed_and_counts_once_when_it_is_repeated(
    shop: Store, url: str, postgres: Cluster, line: Line, kept: bool, now: datetime
) -> None:
    with open_store(url.replace(f":{postgres.port}/", f":{line.port}/")) as far:
        assert record(far, "a", now) is ACCEPTED
        line.left = 1
        with pytest.raises(StoreError, match="may be sent again: it counts once"):
            record(far, "b", now)
        assert line.cuts == 1
        assert record(far, "b", now) is (DUPLICATE if kept else ACCEPTED)
        assert record(far, "c", now) is ACCEPTED
    assert seen(shop) == shop.counts().events == 3


def test_a_full_disk_a_follower_and_a_deadlock_are_told_apart(shop: Store, url: str, now: datetime) -> None:
    def raising(code: str) -> Callable[[Connection], object]:
        return lambda connection: connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")

    committer = Committer(database_at(url))
    for code, kind in (("53100", StoreUnwritable), ("58030", StoreUnwritable), ("40P01", StoreBusy), ("42501", StoreError)):
        with pytest.raises(StoreError) as told:
            committer.run(raising(code), weight=1)
        assert type(told.value) is kind
    committer.close()


def test_a_server_that_only_follows_another_one_refuses_writes_and_answers_reads(shop: Store, url: str, now: datetime) -> None:
    rows(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with open_store(url) as follower:
        with pytest.raises(StoreUnwritable, match="target_session_attrs=read-write"):
            record(follower, "a", now)
        assert seen(follower) == 0


def test_what_reads_cannot_write(shop: Store, url: str) -> None:
    with pytest.raises(StoreError, match="read-only"):
        shop._readers.all("DELETE FROM items RETURNING number")
    assert shop.counts().items_live == 600


def test_each_schema_of_a_database_may_hold_a_store_of_its_own(url: str, now: datetime) -> None:
    both = [f"{url}?options=-csearch_path%3D{name}" for name in ("ours", "theirs")]
    rows(url, "CREATE SCHEMA ours")
    rows(url, "CREATE SCHEMA theirs")
    for item_id, place in zip(("a", "b"), both, strict=True):
        assert not store_exists(place)
        with open_store(place, create=True) as store:
            store.upsert_items([Item(item_id, ItemKind.ARTICLE)], now=now)
    for item_id, place in zip(("a", "b"), both, strict=True):
        with open_store(place) as store:
            assert store.item_numbers(["a", "b"]) == {item_id: 1}
    assert not store_exists(url)


def test_the_server_may_be_reached_over_a_socket_of_its_machine(shop: Store, url: str, postgres: Cluster, now: datetime) -> None:
    name = url.rpartition("/")[2]
    with open_store(f"postgresql://tester:{SHOWN_PASSWORD}@/{name}?host={postgres.folder}&port={postgres.port}") as near:
        assert record(near, "a", now) is ACCEPTED
    assert seen(shop) == 1


def test_a_database_whose_encoding_cannot_hold_every_text_is_refused(postgres: Cluster) -> None:
    postgres.say("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(SchemaMismatch, match="LATIN1; needed is a database made with ENCODING 'UTF8'"):
            migrate_store(postgres.url("latin"))
        assert not store_exists(postgres.url("latin"))
    finally:
        postgres.drop(postgres.url("latin"))


def test_a_server_that_does_not_sync_is_warned_of_once(
    shop: Store, url: str, postgres: Cluster, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        record(shop, "a", now)
        postgres.cut(url)
        record(shop, "b", now)
    assert [record.getMessage() for record in caplog.records] == [
        f"{shop.name} runs with fsync off: when its machine fails, what was acknowledged may be lost, and all else with it"
    ]


def test_a_server_that_syncs_is_not_warned_of(shop: Store, postgres: Cluster, now: datetime, caplog: pytest.LogCaptureFixture) -> None:
    postgres.say("ALTER SYSTEM SET fsync = on")
    postgres.say("SELECT pg_reload_conf()")
    try:
        record(shop, "a", now)
        assert caplog.records == []
    finally:
        postgres.say("ALTER SYSTEM RESET fsync")
        postgres.say("SELECT pg_reload_conf()")


def test_no_message_shows_the_password(url: str, postgres: Cluster) -> None:
    elsewhere = url.replace(f":{postgres.port}/", ":1/")
    wrong = postgres.url("postgres", password="s3cret%21")
    missing = postgres.url("nowhere")
    for place in (elsewhere, wrong, missing):
        with pytest.raises(StoreError) as told:
            open_store(place)
        message = str(told.value)
        assert message.startswith("postgresql://tester@127.0.0.1:")
        assert not any(secret in message for secret in (PASSWORD, SHOWN_PASSWORD, "s3cret"))


@pytest.mark.parametrize(
    "bad",
    [
        "postgres://ann:s3cret@host/name",
        "postgresql://ann:s3cret@2@host/name",
        "postgresql://ann:s3cret/2@host/name",
        "postgresql://ann:s3cret@host:port/name",
        "postgresql://ann:s3cret@host/name?what=s3cret",
        "postgresql://ann:s3cret%zz@host/name",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(InvalidInput, match=r"store: .* allowed: postgresql://user:password@host:port/name") as told:
        open_store(bad)
    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None


def test_without_the_driver_the_message_says_what_to_install(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "recommender.store.postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'content-recommender\[postgres\]'") as told:
        open_store(url)
    assert PASSWORD not in str(told.value)
