"""Several machines with the real commands: one builds and publishes to an object store, others serve; the store is PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from postgres_cluster import Cluster
from waiting import soon
from worlds import NOW, World, films, watches

from indexing.building import reindex
from indexing.progress import Lines
from recommender.cli import LOCKED, run
from recommender.client import Client
from recommender.errors import Locked
from recommender.events import Consent
from recommender.items import Item, ItemKind
from recommender.placements import Placements
from recommender.remote.generations import RemoteGenerations, remote_of
from recommender.store import open_store

SECRET = "not-a-real-secret"


def with_vectors(items: list[Item]) -> list[Item]:
    """The same films, each with a vector of its own, so that builds need no model."""
    rng = np.random.default_rng(1)
    return [
        Item(
            id=item.id,
            kind=ItemKind.MEDIA,
            title=item.title,
            embedding=rng.normal(size=8).astype(np.float32),
            published_at=item.published_at,
        )
        for item in items
    ]


@dataclass(frozen=True)
class Machine:
    """One machine: a data folder, and the places that all of them share."""

    data: Path
    store: str
    url: str

    @property
    def environment(self) -> dict[str, str]:
        ours = {"RECOMMENDER_DATA": str(self.data), "RECOMMENDER_STORE": self.store, "RECOMMENDER_GENERATIONS": self.url}
        return {**os.environ, **ours, "PYTHONWARNINGS": "ignore"}

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a command that must end with `code`."""
        command = [sys.executable, "-m", "recommender", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=self.environment)
        assert done.returncode == code, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done.stdout, done.stderr

    @contextmanager
    def serving(self) -> Iterator[tuple[Client, Path]]:
        """A client of a server process, and its log."""
        self.data.mkdir(exist_ok=True)
        ready, log = self.data / "ready.json", self.data / "log"
        ready.unlink(missing_ok=True)
        options = [word for name in ("listen", "admin-listen", "metrics-listen") for word in (f"--{name}", "127.0.0.1:0")]
        command = [sys.executable, "-m", "recommender", "serve", *options, "--ready-file", str(ready)]
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=self.environment)
        try:
            assert soon(lambda: ready.exists() or process.poll() is not None)
            assert ready.exists(), log.read_text(encoding="utf-8")
            addresses = json.loads(ready.read_text(encoding="utf-8"))
            with Client(addresses["listen"], addresses["admin_listen"], timeout_s=20) as client:
                yield client, log
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert SECRET not in log.read_text(encoding="utf-8")


def test_one_machine_builds_and_another_one_serves(s3: str, postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = postgres.new()
    with open_store(store, create=True) as opened:
        opened.upsert_items(with_vectors(films()), now=NOW)
        opened.record_events(watches(), now=NOW, consent_default=Consent.ALL)
    builder, server = Machine(tmp_path / "builder", store, s3), Machine(tmp_path / "server", store, s3)
    builder.data.mkdir()
    build = tmp_path / "build.toml"
    build.write_text("[judging]\nfewest = 5\n[blending]\ncuts = 1\n", encoding="utf-8")

    with server.serving() as (client, log):
        assert not client.serves()
        report = tmp_path / "report.json"
        builder.run("reindex", "--build", str(build), "--json", str(report), "--force", "a world of this size")
        first = json.loads(report.read_text(encoding="utf-8"))["manifest"]["id"]
        client.wait_until_serving(120)
        assert client.get_feed(user="person-0").generation_id == first
        assert "generation fetched" in log.read_text(encoding="utf-8")
        builder.run("reindex", "--build", str(build), "--json", str(report), "--force", "a world of this size")
        second = json.loads(report.read_text(encoding="utf-8"))["manifest"]["id"]
        assert soon(lambda: client.get_feed(user="person-0").generation_id == second)

        listed, _ = builder.run("generations", "list")
        assert [line.split()[0] for line in listed.splitlines() if second in line] == ["*"]
        assert first in listed
        shown, _ = server.run("generations", "verify")
        assert shown.count("files as the manifest says") == 2
        server.run("generations", "rollback", "--reason", "a demonstration")
        assert soon(lambda: client.get_feed(user="person-0").generation_id == first)
        assert first in builder.run("generations", "diff", first, second)[0]
        assert f"removed: {first}" not in builder.run("generations", "prune", "--keep", "1")[0]

        # The watcher of a machine that only serves knows what is active there.
        client.upsert_items(with_vectors([Item("film-new", ItemKind.MEDIA, title="New")]))
        _, told = server.run("watch", "--once")
        assert json.loads(told.splitlines()[-1])["generation"] == first

    # Out of reach of the object store, the machine serves what it has.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with server.serving() as (client, log):
        client.wait_until_serving(60)
        assert client.get_feed(user="person-0").generation_id == first
        assert soon(lambda: "remote generations out of reach; what the cache holds is served" in log.read_text(encoding="utf-8"))
    _, said = server.run("generations", "list", code=1)
    assert said.startswith(f"error: {s3} cannot be ")
    _, said = builder.run("reindex", "--build", str(build), code=1)
    assert f"{s3} cannot be" in said
    postgres.drop(store)


@pytest.fixture
def remote_world(fresh_world: Callable[[], World], url: str) -> World:
    """A world whose next build is published to a place."""
    world = fresh_world()
    return World(world.settings.model_copy(update={"generations": url}), world.build, world.outcome)


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_a_build_whose_lease_is_taken_publishes_nothing_and_can_be_gone_on_with(remote_world: World) -> None:
    class Robbed(Lines):
        """Tells of the progress; before the last stage another machine takes the lease, as if this one had slept."""

        def stage(self, name: str) -> Any:
            """See `Lines`."""
            if name == "publish":
                with open_store(remote_world.settings.store_place) as store:
                    lease = store.lease("generations")
                    assert lease is not None
                    store.release_lease(lease)
                    length = timedelta(minutes=1)
                    store.take_lease("generations", owner="process 1 on another", purpose="build", now=now, length=length)
            return super().stage(name)

    now = NOW + timedelta(hours=1)
    placement = Placements.default().get("")
    with pytest.raises(Locked, match=r"lost it; held by process 1 on another"):
        reindex(remote_world.settings, remote_world.build, placement, Robbed(StringIO()), now=now)
    remote = remote_of(remote_world.settings)
    assert remote is not None
    assert (remote.ids(), remote.current_id()) == ([], None)
    with pytest.raises(Locked, match="process 1 on another"):
        remote_world.reindex(now=now)

    later = now + timedelta(minutes=5)
    told = StringIO()
    outcome = reindex(remote_world.settings, remote_world.build, placement, Lines(told), now=later, resume=True)

    assert "going on with the build of" in told.getvalue()
    assert outcome.activated
    assert (remote.ids(), remote.current_id()) == ([outcome.manifest.id], outcome.manifest.id)
    assert remote.verify(outcome.manifest.id) == outcome.manifest


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_commands_about_generations_act_on_the_place(
    remote_world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOMMENDER_GENERATIONS", url)
    data = ["--data", str(remote_world.data)]
    assert run(["generations", "list", *data]) == 0
    assert "no generation yet" in capsys.readouterr().out
    assert run(["generations", "show", *data]) == 1
    assert url in capsys.readouterr().err
    first = remote_world.reindex().manifest.id
    second = remote_world.reindex(now=NOW + timedelta(hours=2), seed=3).manifest.id

    def commanded(*words: str) -> str:
        assert run(["generations", *words, *data]) == 0
        return capsys.readouterr().out

    assert commanded("rollback") == f"active: {first}; before: {second}\n"
    assert commanded("activate", second) == f"active: {second}; before: {first}\n"
    assert json.loads(commanded("show"))["id"] == second
    assert "items added" in commanded("diff", first, second)
    assert commanded("prune", "--keep", "1", "--dry-run") == "nothing to remove: 2 generations, 1 to keep\n"
    remote = remote_of(remote_world.settings)
    assert remote is not None
    name = f"{first}/items.arrow"
    content = remote.place.read(name)
    assert content is not None
    remote.place.write(name, content[:-1])
    assert run(["generations", "verify", *data]) == 1
    told = capsys.readouterr()
    assert f"{second}: " in told.out
    assert f"generation {first} is refused: items.arrow: has {len(content) - 1} bytes" in told.err
    with open_store(remote_world.settings.store_place) as store:
        now = datetime.now(UTC)
        store.take_lease("generations", owner="process 1 on another", purpose="build", now=now, length=timedelta(minutes=1))
    assert run(["generations", "prune", "--keep", "1", *data]) == LOCKED
    assert "another build is running: process 1 on another" in capsys.readouterr().err
    assert isinstance(remote, RemoteGenerations)
