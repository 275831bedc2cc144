"""Disks that are full, read-only or failing: everybody says so, nothing acknowledged is lost, and all goes on when they are mended."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from ports import free_ports
from small_disk import Disk, LimitedFiles, MountedDisk, Unavailable, mounted
from waiting import LONG_S, soon
from worlds import World, film_id

from recommender.client import Client, ClientError
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Generations
from recommender.items import Item, ItemKind
from recommender.store import EventStatus, Store, open_store

FULL = "the store cannot be written or opened now: its disk is full, read-only, failing or away"
BUILD_S = 600.0
"""Long for a build of a small world on any machine."""
UNJUDGED = "judging = { fewest = 1000 }\nblending = { fewest = 1000, cuts = 1 }\n"
"""Build settings by which a build of a small world is quick."""

Worlds = Callable[[], World]


@contextmanager
def disk_of(world: World, tmp_path: Path, kind: str) -> Iterator[Any]:
    """The world's data on a small disk of this kind, below `data`."""
    if kind == "limit":
        (tmp_path / "disk").mkdir()
        shutil.copytree(world.data, tmp_path / "disk" / "data")
        yield LimitedFiles(tmp_path / "disk")
        return
    size = sum(path.stat().st_size for path in world.data.rglob("*") if path.is_file())
    try:
        with mounted(tmp_path, 2 * size // 2**20 + 16, ext4=kind == "ext4") as disk:
            shutil.copytree(world.data, disk.path / "data")
            # What a store says is durable is so only where it was before.
            subprocess.run(["sync", "--file-system", str(disk.path / "data")], check=True)
            yield disk
    except Unavailable as why:
        pytest.skip(str(why))


@dataclass(eq=False)
class Recording:
    """Events that a front end sends until it is told to stop, again and again where they are not taken."""

    address: str
    sent: list[Event] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    refusals: list[tuple[grpc.StatusCode, str]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with Client(self.address, timeout_s=20) as client:
            while not self.stop.is_set():
                batch = [self._event(len(self.sent) + place) for place in range(50)]
                self.sent += batch
                while not self.stop.is_set():
                    try:
                        client.record(batch)
                    except ClientError as error:
                        self.refusals.append((error.code, str(error)))
                        time.sleep(0.05)
                    else:
                        self.acknowledged |= {event.id for event in batch}
                        break
                time.sleep(0.005)

    def _event(self, number: int) -> Event:
        return Event(
            id=f"e-{number}",
            type=EventType.CLICK,
            subject=Subject.user(f"person-{number % 40}"),
            item_id=film_id(number % 60),
            at=datetime.now(UTC),
        )


@contextmanager
def recording(address: str) -> Iterator[Recording]:
    load = Recording(address)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        thread.join()


@contextmanager
def serving(disk: Disk, log: Path) -> Iterator[tuple[subprocess.Popen[Any], Client, str]]:
    """A real server on the disk."""
    front, admin, metrics = (f"127.0.0.1:{port}" for port in free_ports(3))
    arguments = ["serve", "--data", str(disk.seen / "data"), "--listen", front, "--admin-listen", admin, "--metrics-listen", metrics]
    with log.open("ab") as written:
        process = disk.started([sys.executable, "-m", "recommender", *arguments, "--grace-s", "1"], stdout=written, stderr=written)
    try:
        with Client(front, admin, timeout_s=20) as client:
            client.wait_until_serving(LONG_S)
            yield process, client, front
    finally:
        process.terminate()
        process.wait(LONG_S)


def command(disk: Disk, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command on the disk, run to its end."""
    process = disk.started(
        [sys.executable, "-m", "recommender", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(timeout=BUILD_S)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that is not progress."""
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return line


@contextmanager
def copied(disk: Disk) -> Iterator[Store]:
    """A copy of the store that nobody has open: SQLite itself would look for it outside of the disk's namespace."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (disk.path / "data").glob("store.sqlite*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        with open_store(Path(folder) / "store.sqlite") as store:
            yield store


def stored(disk: Disk) -> int:
    with copied(disk) as store:
        return store.counts().events


def check_kept(disk: Disk, load: Recording, before: int) -> None:
    """All that was acknowledged is there, and nothing twice."""
    with copied(disk) as store:
        outcomes = store.record_events(load.sent, now=datetime.now(UTC), consent_default=Consent.ALL)
        lost = [
            event.id
            for event, outcome in zip(load.sent, outcomes, strict=True)
            if event.id in load.acknowledged and outcome.status is not EventStatus.DUPLICATE
        ]
        assert lost == []
        assert store.counts().events == before + len(load.sent)


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
def test_a_server_on_a_full_disk_says_so_serves_on_and_takes_events_again_when_there_is_space(
    fresh_world: Worlds, tmp_path: Path, kind: str
) -> None:
    with disk_of(fresh_world(), tmp_path, kind) as disk:
        before = stored(disk)
        with serving(disk, tmp_path / "server.log") as (process, client, address), recording(address) as load:
            assert soon(lambda: len(load.acknowledged) > 200)
            assert load.refusals == []
            disk.fill(process)
            assert soon(lambda: len(load.refusals) > 5)
            # Feeds go on, also of people who have just come.
            for number in range(30):
                assert client.get_feed(user=f"person-{number}", page_size=10).items
                assert client.get_feed(user=f"stranger-{number}", page_size=10).items
            with pytest.raises(ClientError, match="disk is full") as refused:
                client.upsert_items([Item(id=f"full-{n}", kind=ItemKind.MEDIA, title="x" * 1_000) for n in range(1_000)])
            assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            taken = len(load.acknowledged)
            disk.free(process)
            assert soon(lambda: len(load.acknowledged) > taken + 200)
            assert process.poll() is None
            assert {code for code, _ in load.refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert all(why.startswith(FULL) for _, why in load.refusals)
            client.upsert_items([Item(id="late", kind=ItemKind.MEDIA, title="A late rocket")])
            assert soon(lambda: "late" in {item.id for item in client.rank(["late"], user="nobody").items})
        assert process.returncode == 0
        check_kept(disk, load, before)


def test_a_server_whose_disk_fails_says_so_and_serves_on_and_nothing_acknowledged_is_lost(fresh_world: Worlds, tmp_path: Path) -> None:
    with disk_of(fresh_world(), tmp_path, "ext4") as disk:
        before = stored(disk)
        with serving(disk, tmp_path / "server.log") as (process, client, address), recording(address) as load:
            assert soon(lambda: len(load.acknowledged) > 200)
            try:
                disk.fail()
            except OSError as why:
                pytest.skip(f"no file system can be made to fail: {why}")
            assert soon(lambda: len(load.refusals) > 5)
            for number in range(30):
                assert client.get_feed(user=f"person-{number}", page_size=10).items
            assert {code for code, _ in load.refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert all(why.startswith(FULL) for _, why in load.refusals)
            assert process.poll() is None
        # Nobody has it open any more.
        disk.mount_anew()
        check_kept(disk, load, before)


def test_on_a_read_only_disk_every_command_says_so_and_changes_nothing(fresh_world: Worlds, model: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps({"type": "like", "user_id": "u", "item_id": film_id(1), "at": "2026-02-28T10:00:00Z"}) + "\n")
    with disk_of(fresh_world(), tmp_path, "tmpfs") as disk:
        data, before = disk.seen / "data", stored(disk)
        current = Generations(disk.path / "data" / "generations").current_id()
        disk.mount("ro")
        for arguments in (
            ("serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"),
            ("watch", "--data", data, "--once"),
            ("reindex", "--data", data, "--embedder", model),
            ("import", "events", events, "--data", data),
        ):
            done = command(disk, *arguments)
            assert done.returncode == 1, arguments
            assert "ead-only" in told(done), arguments
        disk.mount("rw")
        assert stored(disk) == before
        assert Generations(disk.path / "data" / "generations").current_id() == current
        assert command(disk, "import", "events", events, "--data", data).returncode == 0
        assert stored(disk) == before + 1


def test_a_build_and_an_import_on_a_full_disk_say_so_and_leave_nothing_half_done(fresh_world: Worlds, model: Path, tmp_path: Path) -> None:
    rows = [
        {"type": "like", "user_id": f"u{n}", "item_id": film_id(n % 60), "at": f"2026-02-{1 + n % 28:02}T10:00:00Z"} for n in range(2_000)
    ]
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(row) + "\n" for row in rows))
    quick = tmp_path / "build.toml"
    quick.write_text(UNJUDGED)
    with disk_of(fresh_world(), tmp_path, "tmpfs") as disk:
        data, root = disk.seen / "data", disk.path / "data" / "generations"
        before, ids, current = stored(disk), Generations(root).ids(), Generations(root).current_id()
        names = {path.name for path in root.iterdir()}
        disk.fill()
        # A little is left, so that it is not the lock already that cannot be written.
        with (disk.path / "filler").open("rb+") as filler:
            filler.truncate(filler.seek(0, 2) - 64 * 1_024)

        imported = command(disk, "import", "events", events, "--data", data)
        assert imported.returncode == 1
        assert "the disk is full, read-only or failing; what was acknowledged before is safe" in told(imported)
        assert stored(disk) == before

        build = command(disk, "reindex", "--data", data, "--build", quick, "--embedder", model)
        assert build.returncode == 1
        assert "No space left on device" in told(build)
        assert Generations(root).current_id() == current
        assert Generations(root).ids() == ids
        assert {path.name for path in root.iterdir()} - names <= {".writer.lock", ".build.json", ".checked.json"}

        disk.free()
        assert command(disk, "import", "events", events, "--data", data).returncode == 0
        assert stored(disk) == before + 2_000
        assert command(disk, "reindex", "--data", data, "--build", quick, "--embedder", model, "--force", "a test").returncode == 0
        assert Generations(root).current_id() != current


def test_a_watcher_on_a_full_disk_says_so_and_goes_on_when_there_is_space(fresh_world: Worlds, tmp_path: Path) -> None:
    with disk_of(fresh_world(), tmp_path, "tmpfs") as disk:
        data, log = disk.seen / "data", tmp_path / "watcher.log"
        with log.open("wb") as written:
            watcher = disk.started([sys.executable, "-m", "recommender", "watch", "--data", str(data)], stderr=written)

        def lines() -> list[dict[str, Any]]:
            return [json.loads(line) for line in log.read_text().splitlines()]

        def upsert(item_id: str, **said: object) -> None:
            file = tmp_path / "items.jsonl"
            file.write_text(json.dumps({"id": item_id, "kind": "media", **said}) + "\n")
            assert command(disk, "import", "items", file, "--data", data).returncode == 0

        try:
            upsert("first", title="The rocket and the rose")
            assert soon(lambda: [line["state"] for line in lines()] == ["written"])
            # What brings its own vector fails where the segment is written, what is to be embedded where the cache is.
            own, words = {"embedding": [1.0] + 15 * [0.0]}, {"title": "A comet"}
            for count, (item_id, said, why) in enumerate(
                (("second", own, "No space left on device"), ("third", words, "the disk is full"))
            ):
                watcher.send_signal(signal.SIGSTOP)
                upsert(item_id, **said)
                disk.fill()
                watcher.send_signal(signal.SIGCONT)
                assert soon(lambda: lines()[-1]["state"] == "failed")
                assert why in lines()[-1]["why"]
                disk.free()
                assert soon(lambda: lines()[-1]["state"] == "written")
                assert (lines()[-1]["items"], sum(line["state"] == "written" for line in lines())) == (1, count + 2)
                assert watcher.poll() is None
        finally:
            watcher.terminate()
            assert watcher.wait(LONG_S) == 0


def test_a_generation_with_a_flipped_bit_or_a_cut_file_is_refused_by_name_and_the_old_one_serves_on(
    fresh_world: Worlds, tmp_path: Path
) -> None:
    world = fresh_world()
    generations = Generations(world.data / "generations")
    good = str(generations.current_id())
    other = world.reindex(seed=2).manifest.id
    generations.activate(good, now=datetime.now(UTC))
    assert other != good
    vectors = max((world.data / "generations" / other).glob("*.npy"), key=lambda path: path.stat().st_size)
    whole = vectors.read_bytes()
    with disk_of(world, tmp_path, "limit") as disk, serving(disk, tmp_path / "server.log") as (_, client, _):
        file = disk.path / "data" / "generations" / other / vectors.name
        for damaged, why in (
            (whole[:-1], "bytes, the manifest says"),
            (whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], "has another checksum than the manifest says"),
        ):
            file.write_bytes(damaged)
            with pytest.raises(ClientError, match=rf"generation {other} is refused: {vectors.name}: .*{why}"):
                client.activate_generation(other)
            # As an operator would who copies CURRENT by hand.
            (disk.path / "data" / "generations" / "CURRENT").write_text(f"{other}\n")
            assert soon(lambda why=why: f"{vectors.name}: " in (log := (tmp_path / "server.log").read_text()) and why in log)  # type: ignore[misc]
            assert client.get_feed(user="person-1").generation_id == good
            (disk.path / "data" / "generations" / "CURRENT").write_text(f"{good}\n")
            time.sleep(2)
        file.write_bytes(whole)
        client.activate_generation(other, reason="a test")
        assert soon(lambda: client.get_feed(user="person-1").generation_id == other)


def test_a_disk_in_a_namespace_is_seen_by_nobody_else(tmp_path: Path) -> None:
    try:
        with mounted(tmp_path, 4) as disk:
            assert isinstance(disk, MountedDisk)
            (disk.path / "here").write_text("x")
            assert not (tmp_path / "disk" / "here").exists()
    except Unavailable as why:
        pytest.skip(str(why))
