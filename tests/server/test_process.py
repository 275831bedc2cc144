"""`recommender serve` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from waiting import soon

from recommender.client import Client
from recommender.errors import InvalidInput
from recommender.events import Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.settings import Settings
from server.command import serve as serve_command
from server.scheduling import without_preemption

if TYPE_CHECKING:
    from tests.server.conftest import World

ROOT = Path(__file__).parents[2]

# Runs the command as the console script does, and tells at the end what it had loaded and how it was set up.
WRAPPER = """
import json, os, sys
from recommender.cli import run
from server.command import serve
code = run(sys.argv[2:], serve)
import faiss
facts = {"modules": sorted(sys.modules)}
facts |= {"threads": os.environ.get("OMP_NUM_THREADS"), "faiss": faiss.omp_get_max_threads()}
open(sys.argv[1], "w").write(json.dumps(facts))
sys.exit(code)
"""


class Process:
    """A serving process, its addresses once it is ready, and what it told at its end."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.ready, self.facts_path = folder / "ready.json", folder / "facts.json"
        free = [text for name in ("listen", "admin-listen", "metrics-listen") for text in (f"--{name}", "127.0.0.1:0")]
        command = [sys.executable, "-c", WRAPPER, str(self.facts_path), *free, "--ready-file", str(self.ready), *flags]
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        self.process = subprocess.Popen(command, cwd=ROOT, env=inherited, stderr=subprocess.PIPE, text=True)

    def addresses(self) -> dict[str, str]:
        if not soon(lambda: self.ready.exists() or self.process.poll() is not None) or not self.ready.exists():
            raise AssertionError(f"not ready: {self.end(signal.SIGKILL)[1]}")
        addresses: dict[str, str] = json.loads(self.ready.read_text())
        return addresses

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code and standard error after signal `number`."""
        self.process.send_signal(number)
        _, written = self.process.communicate(timeout=60)
        return self.process.returncode, written


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for one in started:
        one.process.kill()
        one.process.communicate()


def test_a_process_serves_without_anything_that_only_building_needs_and_stops_in_order(
    world: World, tmp_path: Path, processes: list[Process]
) -> None:
    generation_id = world.publish()
    processes.append(Process(tmp_path, "--data", str(world.data), "--log-level", "info"))
    process = processes[0]
    addresses = process.addresses()

    with Client(addresses["listen"], addresses["admin_listen"]) as client:
        client.wait_until_serving(1)
        feed = client.get_feed(user="ann", page_size=3)
        first = feed.items[0]
        client.record([Event(id="e", type=EventType.CLICK, subject=Subject.user("ann"), item_id=first.id, token=first.token)])
        assert client.get_feed(user="ann", filter="price > 3.0").generation_id == generation_id
    code, written = process.end(signal.SIGTERM)

    assert code == 0, written
    records = [json.loads(line) for line in written.splitlines()]
    [listening] = [record for record in records if record["message"] == "listening"]
    assert {name: listening[name] for name in addresses} == addresses
    assert not any(address.endswith(":0") for address in addresses.values())
    assert records[-1]["message"] == "stopped"
    facts = json.loads(process.facts_path.read_text())
    heavy = {"torch", "sentence_transformers", "implicit", "pandas", "lightgbm", "alembic", "sqlalchemy", "indexing", "eval"}
    assert heavy & set(facts["modules"]) == set()
    assert (facts["threads"], facts["faiss"]) == ("1", 1)
    with world.open() as store:
        assert (store.counts().decisions, store.counts().events) == (2, 1)


def test_new_items_are_served_without_it_as_well(world: World, tmp_path: Path, processes: list[Process]) -> None:
    world.publish()
    processes.append(Process(tmp_path, "--data", str(world.data), "--log-level", "info", "--counts-poll-s", "0.05"))
    addresses = processes[0].addresses()

    with Client(addresses["listen"], addresses["admin_listen"]) as client:
        client.upsert_items([Item(id="new", kind=ItemKind.MEDIA, title="New")])
        assert soon(lambda: "new" in {item.id for item in client.get_feed(user="ann", page_size=60).items})
        client.record([Event(id=f"e{n}", type=EventType.LIKE, subject=Subject.user(f"u{n}"), item_id="new") for n in range(60)])
        assert soon(lambda: client.get_popular(page_size=1).items[0].id == "new")
    code, written = processes[0].end(signal.SIGTERM)

    assert code == 0, written
    assert {"pandas", "torch", "indexing"} & set(json.loads(processes[0].facts_path.read_text())["modules"]) == set()


def test_a_process_without_a_generation_says_it_is_ready_and_ends_on_interrupt(tmp_path: Path, processes: list[Process]) -> None:
    processes.append(Process(tmp_path, "--data", str(tmp_path / "new"), "--log-level", "error"))

    assert set(processes[0].addresses()) == {"listen", "admin_listen", "metrics_listen"}
    assert processes[0].end(signal.SIGINT) == (0, ""), "nothing went wrong, so at this level nothing is logged"


def may_be_a_batch_job() -> bool:
    """Whether this kernel knows batch jobs and lets a process become one; tried in another one."""
    become = "import os; os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
    return subprocess.run([sys.executable, "-c", become], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_be_a_batch_job(), reason="processes may not become batch jobs here")
def test_no_thread_that_works_on_calls_is_interrupted_by_another(world: World, tmp_path: Path, processes: list[Process]) -> None:
    world.publish()
    processes.append(Process(tmp_path, "--data", str(world.data)))
    with Client(processes[0].addresses()["listen"]) as client:
        client.wait_until_serving(1)
        assert client.get_feed(user="ann").items

    tasks = list(Path(f"/proc/{processes[0].process.pid}/task").iterdir())
    # That of pyarrow's heap is there before, and has nothing to do with calls.
    ours = [int(task.name) for task in tasks if not (task / "comm").read_text().startswith("jemalloc")]
    assert len(ours) > 3
    assert {os.sched_getscheduler(thread) for thread in ours} == {os.SCHED_BATCH}


def test_a_way_of_scheduling_that_somebody_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_IDLE)
    monkeypatch.setattr(os, "sched_setscheduler", lambda *given: pytest.fail("nothing to change"))
    assert not without_preemption()


def test_where_it_is_forbidden_threads_are_interrupted_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*given: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_OTHER)
    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    assert not without_preemption()


def test_every_setting_has_its_flag() -> None:
    shown = CliRunner().invoke(serve_command, ["--help"], terminal_width=200)

    assert shown.exit_code == 0
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in shown.output
        assert field.description
        assert f"RECOMMENDER_{name.upper()}" in shown.output


def test_a_setting_that_is_wrong_is_told_without_what_is_secret(tmp_path: Path) -> None:
    secret = "0123456789abcdefg"
    result = subprocess.run(
        [sys.executable, "-c", WRAPPER, str(tmp_path / "facts.json"), "--data", str(tmp_path), "--token-keys", f"k1:{secret}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.startswith("error: setting token_keys: given 'pair 1', allowed: id:hex pairs")
    assert secret not in result.stderr


def test_a_flag_that_is_wrong_is_told_before_anything_starts(tmp_path: Path) -> None:
    result = CliRunner().invoke(serve_command, ["--data", str(tmp_path / "new"), "--threads", "1"])

    assert isinstance(result.exception, InvalidInput)
    assert str(result.exception).startswith("setting threads: given '1'")
    assert not (tmp_path / "new").exists()
