"""The whole path with the real commands: files, import, reindex, serve, a feed, an event, another feed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from postgres_cluster import SHOWN_PASSWORD
from waiting import soon
from worlds import JUDGED, WORDS, films, taste_of, watches

from recommender.client import Client
from recommender.events import Event, EventType, Subject
from recommender.feeds import Basis


@dataclass(frozen=True)
class Deployment:
    """A data folder and the setting of its store, "" for SQLite."""

    data: Path
    store: str

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "RECOMMENDER_DATA": str(self.data), "RECOMMENDER_STORE": self.store, "PYTHONWARNINGS": "ignore"}

    def run(self, *arguments: str) -> str:
        """Standard output of a command that must succeed."""
        command = [sys.executable, "-m", "recommender", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self, name: str) -> Iterator[dict[str, str]]:
        """The addresses of a server process."""
        ready, log = self.data / f"{name}.json", self.data / f"{name}.log"
        options = [word for name in ("listen", "admin-listen", "metrics-listen") for word in (f"--{name}", "127.0.0.1:0")]
        command = [sys.executable, "-m", "recommender", "serve", *options, "--ready-file", str(ready)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=self.environment)
        try:
            assert soon(lambda: ready.exists() or process.poll() is not None)
            assert ready.exists(), log.read_text(encoding="utf-8")
            yield json.loads(ready.read_text(encoding="utf-8"))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert SHOWN_PASSWORD not in log.read_text(encoding="utf-8")


def write_files(folder: Path) -> tuple[Path, Path]:
    """The world's films as JSONL and its events as CSV with foreign column names and one bad row."""
    items, events = folder / "films.jsonl", folder / "watches.csv"
    with items.open("w", encoding="utf-8") as file:
        for film in films():
            row = {"id": film.id, "kind": film.kind.name.lower(), "title": film.title, "text": film.text, "categories": film.categories}
            file.write(json.dumps(row) + "\n")
    with events.open("w", encoding="utf-8") as file:
        file.write("member,film,kind,when,portion\n")
        for event in watches():
            assert event.at is not None
            file.write(f"{event.subject.id},{event.item_id},watch,{event.at.isoformat()},1.0\n")
        file.write("person-1,film-1,watch,yesterday,1.0\n")
    return items, events


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def built(tmp_path_factory: pytest.TempPathFactory, model: Path, request: pytest.FixtureRequest) -> Deployment:
    folder = tmp_path_factory.mktemp("path")
    items, events = write_files(folder)
    data = folder / "data"
    deployment = Deployment(data, "" if request.param == "sqlite" else request.getfixturevalue("postgres").new())
    deployment.run("import", "items", str(items))
    maps = [f"--map={ours}={theirs}" for ours, theirs in (("user_id", "member"), ("item_id", "film"), ("type", "kind"), ("at", "when"))]
    deployment.run("import", "events", str(events), *maps)
    assert "yesterday" in "".join(path.read_text(encoding="utf-8") for path in (data / "rejects").iterdir())
    quick = folder / "quick.toml"
    quick.write_text(f"embedder = {str(model)!r}\n{JUDGED}", encoding="utf-8")
    deployment.run("reindex", "--build", str(quick))
    assert (data / "store.sqlite").exists() == (not deployment.store)
    return deployment


@pytest.fixture(scope="module")
def address(built: Deployment) -> Iterator[dict[str, str]]:
    with built.serving("server") as addresses:
        yield addresses


def test_one_click_turns_a_new_session_to_its_taste(address: dict[str, str]) -> None:
    with Client(address["listen"]) as client:
        client.wait_until_serving()
        before = client.get_feed(session="s1", page_size=10)
        assert before.basis is Basis.CONTEXTUAL
        popular = client.get_popular(page_size=10)
        # Of somebody unknown only what is popular can be told, which the learned ranker may put in another order.
        assert len({item.id for item in before.items} & {item.id for item in popular.items}) >= 6
        clicked = next(item for item in before.items if taste_of(item.id) == "garden")
        client.record([Event("c1", EventType.CLICK, Subject.session("s1"), clicked.id, token=clicked.token)])
        after = client.get_feed(session="s1", page_size=10)
    assert after.basis is Basis.SESSION
    assert clicked.id not in {item.id for item in after.items}
    lean = [sum(taste_of(item.id) == "garden" for item in feed.items) for feed in (before, after)]
    assert lean[1] > lean[0]
    assert lean[1] >= 8
    assert any(clicked.title in item.reason for item in after.items)


def test_a_known_person_gets_what_people_of_the_same_taste_watch_and_nothing_watched(address: dict[str, str]) -> None:
    seen = {event.item_id for event in watches() if event.subject.id == "person-3"}
    with Client(address["listen"]) as client:
        feed = client.get_feed(user="person-3", page_size=10)
    assert feed.basis is Basis.PERSONAL
    assert not seen & {item.id for item in feed.items}
    assert sum(taste_of(item.id) == "garden" for item in feed.items) >= 8


def test_a_film_is_similar_to_films_of_its_taste(address: dict[str, str]) -> None:
    with Client(address["listen"]) as client:
        feed = client.get_similar(["film-10"], page_size=10)
    assert all(any(word in item.title for word in WORDS["space"]) for item in feed.items[:5])


def test_a_click_on_one_server_is_in_the_next_feed_of_another(built: Deployment, address: dict[str, str]) -> None:
    with built.serving("another") as other, Client(address["listen"]) as client, Client(other["listen"]) as second:
        second.wait_until_serving()
        for place, item in enumerate(second.get_feed(session="s2", page_size=5).items):
            client.record([Event(f"both-{place}", EventType.CLICK, Subject.session("s2"), item.id)])
            assert item.id not in {shown.id for shown in second.get_feed(session="s2", page_size=50).items}


def test_what_reads_the_store_whole_finds_the_same_people_in_it(built: Deployment) -> None:
    shown = dict(line.split("  ", 1) for line in built.run("store", "info").splitlines())
    people = len({event.subject for event in watches()})
    assert shown["people"].strip().startswith(f"{people} users")
    feeds = built.data / "feeds.parquet"
    built.run("export", "feeds", "--output", str(feeds), "--workers", "2")
    assert len(set(pq.read_table(feeds)["id"].to_pylist())) == people
    assert "blend" in built.run("eval", "--build", str(built.data.parent / "quick.toml"))
