"""A build is watched from elsewhere: how far it is, its end, and that it died; no watcher takes threads that others need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from handmade import NOW
from waiting import soon

from recommender.client import Missing
from recommender.generation.build_progress import BuildProgress, BuildState, StageTook, read_progress, write_progress
from recommender.generation.writer_lock import writer_lock
from recommender.v1 import generation_pb2, generation_pb2_grpc
from server import generation_service

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

RUNNING, PUBLISHED = generation_pb2.BUILD_STATE_RUNNING, generation_pb2.BUILD_STATE_PUBLISHED

HOLDING = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from recommender.generation.build_progress import BuildProgress, BuildState, write_progress
from recommender.generation.writer_lock import this_process, writer_lock
root, now = Path(sys.argv[1]), datetime.now(UTC)
with writer_lock(root, now=now):
    times = {"started_at": now, "updated_at": now}
    write_progress(root, BuildProgress(build="b", sequence=4, state=BuildState.RUNNING, owner=this_process(), stage="learn", **times))
    print("holding", flush=True)
    time.sleep(120)
"""
"""Holds the writer's lock as a build does."""


def look(sequence: int, state: BuildState = BuildState.RUNNING, **more: Any) -> BuildProgress:
    at = NOW + timedelta(seconds=sequence)
    return BuildProgress(
        build="20260301T120000-1", sequence=sequence, state=state, owner="process 1 on here", started_at=NOW, updated_at=at, **more
    )


@pytest.fixture
def root(world: World) -> Path:
    return world.generations.root


def test_a_watcher_sees_the_stages_and_the_end(live: Deployment, root: Path) -> None:
    with writer_lock(root, now=NOW):
        write_progress(root, look(1, stage="read", done=3, total=10))
        watched = live.client.watch_build()
        first = next(watched)
        write_progress(root, look(2, stage="embed", finished=(StageTook(name="read", seconds=1.5, resumed=True),)))
        second = next(watched)
        write_progress(root, look(3, BuildState.PUBLISHED, generation="20260301T120000-0123abcd", message="done"))
        rest = list(watched)

    assert (first.build, first.stage, first.done, first.total, first.state) == ("20260301T120000-1", "read", 3, 10, RUNNING)
    assert (first.owner, first.started_at.ToDatetime(NOW.tzinfo)) == ("process 1 on here", NOW)
    assert (second.stage, [(took.name, took.seconds, took.resumed) for took in second.finished]) == ("embed", [("read", 1.5, True)])
    assert [(seen.state, seen.generation_id, seen.message) for seen in rest] == [(PUBLISHED, "20260301T120000-0123abcd", "done")]


def test_who_asks_after_the_end_is_told_it_at_once(live: Deployment, root: Path) -> None:
    write_progress(root, look(9, BuildState.REFUSED, message="items-kept: 1"))

    assert [(seen.state, seen.message) for seen in live.client.watch_build()] == [(generation_pb2.BUILD_STATE_REFUSED, "items-kept: 1")]


def test_before_the_first_build_there_is_nothing_to_watch(live: Deployment) -> None:
    with pytest.raises(Missing, match="none has been started yet; run `recommender reindex`"):
        next(live.client.watch_build())


def test_a_build_that_was_killed_is_said_to_have_died(live: Deployment, root: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDING, str(root)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        watched = live.client.watch_build()
        assert next(watched).state == RUNNING
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()

    [end] = watched

    assert end.state == generation_pb2.BUILD_STATE_DIED
    assert end.stage == "learn"
    assert end.message == f"{end.owner} has gone; --resume goes on with its build"
    assert end.owner.startswith(f"process {holder.pid} on ")


def test_a_watcher_is_asked_again_where_the_server_ended_its_stream(live: Deployment, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_service, "ORDERLY_S", 0.3)
    seen: list[int] = []
    with writer_lock(root, now=NOW), ThreadPoolExecutor(1) as pool:
        write_progress(root, look(1))
        following = pool.submit(lambda: seen.extend(each.sequence for each in live.client.watch_build()))
        # Each stream lasts for a look or two.
        for sequence in range(2, 6):
            time.sleep(0.4)
            write_progress(root, look(sequence))
        write_progress(root, look(6, BuildState.FAILED))
        following.result(timeout=20)

    assert seen[-1] == 6
    assert seen == sorted(set(seen)), "what was seen before is not sent again"


def test_watchers_leave_threads_to_others_and_free_theirs_when_they_leave(world: World, serve: Serve, root: Path) -> None:
    live = serve(threads=4)
    root.mkdir(exist_ok=True)
    with writer_lock(root, now=NOW), grpc.insecure_channel(live.server.addresses.admin_listen) as channel:
        write_progress(root, look(1))
        watch = generation_pb2_grpc.GenerationServiceStub(channel).WatchBuild
        first = watch(generation_pb2.WatchBuildRequest(), timeout=20)
        assert next(first).sequence == 1
        beyond = watch(generation_pb2.WatchBuildRequest(), timeout=20)
        with pytest.raises(grpc.RpcError) as refused:
            next(beyond)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
        assert list(live.client.list_generations()) == []

        first.cancel()

        def is_free() -> bool:
            try:
                return next(watch(generation_pb2.WatchBuildRequest(), timeout=20)).sequence == 1
            except grpc.RpcError:
                return False

        assert soon(is_free)


def test_a_file_of_another_release_is_no_progress(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    (tmp_path / ".build.json").write_text('{"build": 1}')
    assert read_progress(tmp_path) is None
    write_progress(tmp_path, look(1))
    # Nobody holds the lock.
    died = read_progress(tmp_path)
    assert died is not None
    assert died.state is BuildState.DIED


def test_a_reader_never_sees_half_of_a_look(tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        sequence = 0
        while not over.is_set():
            sequence += 1
            write_progress(tmp_path, look(sequence, BuildState.FAILED, message="x" * (sequence % 5_000)))

    writer = threading.Thread(target=write)
    write_progress(tmp_path, look(0, BuildState.FAILED))
    writer.start()
    try:
        seen = [read_progress(tmp_path) for _ in range(500)]
    finally:
        over.set()
        writer.join()
    sequences = [each.sequence for each in seen if each is not None]
    assert len(sequences) == 500
    assert sequences == sorted(sequences)


def test_times_are_those_of_the_build(live: Deployment, root: Path) -> None:
    write_progress(root, look(7, BuildState.UNCHANGED))
    [seen] = live.client.watch_build()
    began: datetime = seen.started_at.ToDatetime(NOW.tzinfo)
    assert seen.updated_at.ToDatetime(NOW.tzinfo) - began == timedelta(seconds=7)
