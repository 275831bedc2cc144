"""Publishers are killed, as by `kill -9`, between their changes of a place; what is active there is always whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from published import START

from recommender.errors import Locked
from recommender.generation import Generations
from recommender.remote.generations import RemoteGenerations
from recommender.remote.place import place_at
from recommender.remote.writer import CURRENTS, WRITERS, RemoteWriter
from recommender.store import Store

PROGRAM = Path(__file__).with_name("killing_program.py")
POINTS = ("stamp", "upload 1", "upload 30", "manifest", "activation", "marking", "removal", "clearing")
"""Before what a publisher is killed; the last one while it removes what the one before it was about to remove."""
POINTS_OF = {"file": POINTS, "s3": ("upload 30", "activation", "marking", "removal")}
"""On an object store those at which it is another one than a folder."""


@pytest.fixture
def publish(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], int]]:
    """Runs publishers: of the generation of a minute, killed before a point; the exit status, negative for a signal."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]))
    program = subprocess.Popen([sys.executable, str(PROGRAM), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None

    def published(minute: int, dying: str) -> int:
        wanted = {"store": str(tmp_path / "store.sqlite"), "cache": str(tmp_path / f"cache-{minute}"), "minute": minute, "dying": dying}
        program.stdin.write(json.dumps(wanted) + "\n")  # type: ignore[union-attr]
        program.stdin.flush()  # type: ignore[union-attr]
        return int(program.stdout.readline())  # type: ignore[union-attr]

    try:
        yield published
    finally:
        program.communicate(timeout=60)


@pytest.mark.parametrize("url", ["file", "s3"], indirect=True)
def test_a_publisher_killed_at_any_point_leaves_a_whole_generation_active(
    url: str, publish: Callable[[int, str], int], store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert [publish(minute, "") for minute in (1, 2)] == [0, 0]
    changing = []
    for minute, point in enumerate(POINTS_OF[request.node.callspec.params["url"]], start=3):
        reader = RemoteGenerations(place_at(url, "url"), Generations(tmp_path / f"reader-{minute}"))
        before = reader.current_id()

        assert publish(minute, point) == -signal.SIGKILL, point

        reader.follow(now=START)
        active = reader.cache.current_id()
        assert active is not None
        assert (active, reader.cache.verify(active).id) == (reader.current_id(), active)
        for generation_id in reader.ids():
            assert reader.verify(generation_id).id == generation_id
        changing += [point] if active != before else []
        other = RemoteWriter(reader.place, reader.cache, store, lambda: datetime.now(UTC))
        with pytest.raises(Locked, match=r"another build is running: process \d+"):
            other.prune(1)
        # As if the leases of the dead had run out.
        for name in (WRITERS, CURRENTS):
            lease = store.lease(name)
            assert lease is not None
            store.release_lease(lease)
    assert changing == ["marking", "removal"]

    assert publish(60, "") == 0
    assert reader.ids()[0] == reader.current_id()
    assert len(reader.ids()) == 2
    assert {name.partition("/")[0] for name in reader.place.files()} == {"CURRENT", *reader.ids()}
