"""What `recommender serve --prepare` compiles is all that serving calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from waiting import soon

from recommender.client import Client
from recommender.events import Event, EventType, Subject
from server.preparing import apart

if TYPE_CHECKING:
    from tests.worlds import World

ROOT = Path(__file__).parents[2]

# Runs the command as the console script does, and tells at the end which loops were called with which kinds of arguments.
WRAPPER = """
import json, sys
from recommender.cli import run
from server.command import serve
code = run(sys.argv[2:], serve)
called = {}
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] in ("recommender", "server"):
        for each in vars(module).values():
            if hasattr(each, "py_func") and hasattr(each, "signatures"):
                called[f"{each.py_func.__module__}.{each.py_func.__name__}"] = sorted(map(str, each.signatures))
open(sys.argv[1], "w").write(json.dumps(called))
sys.exit(code)
"""


def loops_of(facts: Path) -> set[tuple[str, str]]:
    """Each loop that a process called, with the kinds of its arguments."""
    return {(name, kinds) for name, signatures in json.loads(facts.read_text()).items() for kinds in signatures}


def test_a_server_calls_no_loop_that_was_not_prepared(fresh_world: Callable[[], World], tmp_path: Path) -> None:
    prepared, served, ready = tmp_path / "prepared.json", tmp_path / "served.json", tmp_path / "ready.json"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("RECOMMENDER_")}
    command = [sys.executable, "-c", WRAPPER]
    before = set(tmp_path.iterdir())
    subprocess.run([*command, str(prepared), "--prepare"], cwd=ROOT, env={**settings, "TMPDIR": str(tmp_path)}, check=True)
    assert set(tmp_path.iterdir()) - before == {prepared}, "nothing else is left behind"
    assert len(loops_of(prepared)) > 50

    free = [text for name in ("listen", "admin-listen", "metrics-listen") for text in (f"--{name}", "127.0.0.1:0")]
    further = ["--data", str(fresh_world().settings.data), "--ready-file", str(ready)]
    process = subprocess.Popen([*command, str(served), *free, *further], cwd=ROOT, env=settings)
    try:
        assert soon(ready.exists)
        addresses = json.loads(ready.read_text())
        with Client(addresses["listen"], addresses["admin_listen"], timeout_s=60) as client:
            client.wait_until_serving(60)
            visit(client)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()

    assert loops_of(served) - loops_of(prepared) == set()


def visit(client: Client) -> None:
    """What front ends ask for, as somebody known, somebody new and an anonymous session."""
    for who in ({"user": "user-1"}, {"user": "nobody"}, {"session": "s"}):
        feed = client.get_feed(**who, page_size=5, explain=True)
        client.get_feed(**who, page_size=5, page_token=feed.next_page_token)
        client.get_feed(**who, filter='price > 3.0 && language == "en"')
        subject = Subject.user(who["user"]) if "user" in who else Subject.session(who["session"])
        first = feed.items[0]
        client.record([Event(f"e-{subject.id}", EventType.CLICK, subject, first.id, token=first.token)])
        client.get_feed(**who, current_item=feed.items[1].id)
        client.rank([item.id for item in feed.items], **who)
        client.search(first.title, **who)
        client.search("a space filn", **who, filter="price > 3.0", explain=True)
    client.get_similar([first.id])
    client.get_similar([first.id], unlike=[feed.items[1].id], filter="price > 3.0")
    client.get_popular(category="space")


def test_preparing_has_nothing_to_do_with_the_store_and_the_generations_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOMMENDER_STORE", "postgresql://shop@127.0.0.1/shop")
    monkeypatch.setenv("RECOMMENDER_GENERATIONS", "s3://shop/generations")
    settings = apart(tmp_path, tmp_path / "placements.toml")
    assert (settings.store_place, settings.generations) == (tmp_path / "store.sqlite", None)
