"""The load generator against a real server: every figure is there, and of calls that were answered."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from worlds import NOW, World, build_world

from recommender.errors import InvalidInput
from recommender.generation import Generations
from recommender.placements import load_placements
from recommender.served_profile import served_profile
from recommender.store import open_store
from recommender.v1 import event_pb2, feed_pb2
from server.bench import breakdown
from server.bench.clocks import memory_of, processor_seconds
from server.bench.command import bench_serve
from server.bench.composing import EVERYTHING, WAYS, costs_of_composing
from server.bench.driver import Outcomes
from server.bench.run import SINGLE
from server.bench.traffic import METHODS, MIX, RARE, REGULARS, Traffic


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("load"))


@pytest.fixture(scope="module")
def traffic(built: World) -> Traffic:
    generations = Generations(built.settings.generations_path)
    with open_store(built.settings.store_path) as store:
        return Traffic.of(store, generations.load(generations.current_id() or ""), NOW, seed=3)


def test_a_run_tells_every_figure_of_answered_calls_and_leaves_the_store_alone(built: World, tmp_path: Path) -> None:
    with open_store(built.settings.store_path) as store:
        before = store.counts()
    arguments = ["--data", str(built.data), "--seconds", "0.3", "--swap-seconds", "10", "--runs", "1", "--connections", "2"]
    placements = tmp_path / "everything.toml"
    placements.write_text("\n".join(["[placements.home]", *EVERYTHING]), encoding="utf-8")
    arguments += ["--placements", str(placements)]
    result = CliRunner().invoke(
        bench_serve, [*arguments, "--json", str(tmp_path / "f.json"), "--markdown", str(tmp_path / "f.md")], catch_exceptions=False
    )
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "f.json").read_text())

    assert set(figures["methods"]) == set(SINGLE)
    for name, row in figures["methods"].items():
        assert row["failed"] == 0, name
        assert row["server ms"] > 0, name
        assert row["server ms in all"] > 0, name
        assert 0 <= row["undisturbed"] <= 1, name
        assert row["undisturbed"] > 0 or row["server ms"] == row["server ms in all"], name
    assert figures["methods"]["Canned"]["times the canned reply"] == 1
    assert list(figures["latency"]) == ["25% of saturation", "50% of saturation", "70% of saturation"]
    # On a machine that is busy with other things even a quarter of saturation may be too much for a moment.
    assert all(row["p50 ms"] > 0 for row in figures["latency"].values())
    assert figures["saturation"]["calls/s"] > 0
    assert figures["saturation"]["feeds/s alone"] == pytest.approx(1e3 / figures["methods"]["GetFeed"]["server ms"])
    assert "of the time; a short loop took" in figures["inputs"]["undisturbed"]
    assert figures["events in batches"]["events/s"] > 0
    start = figures["start"]
    parts = sum(start[part] for part in ("interpreter", "imports", "generation", "rest"))
    # The command that starts it sees a little more: that the process is there, and that it has written its addresses.
    assert 0.5 * start["seconds to serving"] < parts <= start["seconds to serving"] + 0.1
    assert list(figures["overload"]) == ["callers wait 250 ms", "callers wait 30 ms"]
    for row in figures["overload"].values():
        assert row["offered/s"] == pytest.approx(2 * figures["saturation"]["calls/s"], rel=0.2)
        assert row["failed otherwise"] == 0
        assert row["shed share"] == 0 or row["retry s"] > 0
    assert set(figures["swap"]) == {"without", "while it takes over"}
    assert all(row["feeds"] > row["failed"] for row in figures["swap"].values())
    for when, of_medians in figures["swap"].items():
        assert figures["worst run"][f"failed or slow {when}"] >= of_medians["failed"] + of_medians["over twice the usual p99"] - 0.5
    assert figures["swapped"]["seconds to the first feed"] > 0, "the new generation answered while the load went on"
    assert figures["memory"]["private MB"] + figures["memory"]["shared MB"] == pytest.approx(figures["memory"]["resident MB"])
    assert figures["inputs"]["served profile"] == served_profile(built.build, load_placements(placements).get(""))
    assert "One method at a time" in result.stdout
    assert "The same calls: how long they took" in result.stdout
    assert "| GetFeed |" in (tmp_path / "f.md").read_text()
    with open_store(built.settings.store_path) as store:
        assert store.counts() == before
    assert not list(built.data.glob("bench-*"))


def test_a_folder_without_a_generation_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(bench_serve, ["--data", str(tmp_path)])
    assert isinstance(result.exception, InvalidInput)
    assert "a store and an active generation" in str(result.exception)


def test_mixed_traffic_has_the_shares_it_says(traffic: Traffic) -> None:
    calls = traffic.mixed()
    counts = dict.fromkeys(METHODS, 0)
    for _ in range(4_000):
        counts[next(calls).method] += 1
    for method, share in MIX.items():
        assert counts[method] / 4_000 == pytest.approx(share, abs=0.03)


def test_the_same_seed_makes_the_same_calls_and_another_part_others(traffic: Traffic) -> None:
    def first(part: int) -> list[bytes]:
        calls = traffic.mixed(part)
        return [next(calls).message for _ in range(50)]

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_feeds_are_of_thirty_items_with_a_filter_and_sessions_bring_what_they_saw(traffic: Traffic) -> None:
    request = feed_pb2.GetFeedRequest.FromString(next(traffic.only("GetFeed", asker="session")).message)
    assert (request.page_size, len(request.context.recent_item_ids), request.subject.WhichOneof("id")) == (30, 5, "session_id")
    assert request.filter
    known = feed_pb2.GetFeedRequest.FromString(next(traffic.only("GetFeed", asker="known")).message)
    assert known.subject.user_id in traffic.known
    rare = traffic.only("GetFeed", asker=RARE)
    askers = {feed_pb2.GetFeedRequest.FromString(next(rare).message).subject.user_id for _ in range(100)}
    assert askers <= set(traffic.known[REGULARS:] or traffic.known)


def test_no_event_is_sent_twice(traffic: Traffic) -> None:
    calls = traffic.only("RecordEvents", events=10)
    events = [event for _ in range(20) for event in event_pb2.RecordEventsRequest.FromString(next(calls).message).events]
    assert len({event.id for event in events}) == 200


def test_latency_percentiles_are_of_answered_calls_alone() -> None:
    outcomes = Outcomes(
        method=np.zeros(4, dtype=np.int8),
        latency=np.array([0.001, 0.002, 0.003, 5.0]),
        code=np.array([0, 0, 0, 4], dtype=np.int16),
        degraded=np.zeros(4, dtype=np.bool_),
        ended=np.zeros(4),
        retry_s=np.full(4, np.nan),
        generation=np.zeros(4, dtype=np.str_),
        seconds=1.0,
        client_seconds=0.1,
    )
    assert outcomes.percentiles()[0] == pytest.approx(2.0)
    assert outcomes.percentiles()[3] < 3.1
    assert math.isnan(outcomes.of("GetFeed").percentiles()[0])


def test_the_kernel_s_clock_counts_work_and_not_sleep() -> None:
    start = processor_seconds(os.getpid())
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass
    worked = processor_seconds(os.getpid())
    time.sleep(0.2)
    slept = processor_seconds(os.getpid())
    assert worked - start > 0.08
    assert slept - worked < worked - start
    assert memory_of(os.getpid()).resident > 10


def test_what_composing_costs_is_told_beside_feeds_as_they_are_ranked(
    built: World, traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown, "WARM", 5)
    shutil.copytree(built.data, tmp_path / "data")
    costs = costs_of_composing(tmp_path / "data", traffic, 5)
    assert list(costs) == list(WAYS)
    for row in costs.values():
        assert 0 < row["slate µs"] < row["µs"]
        assert row["more µs"] == pytest.approx(row["µs"] - costs["as ranked"]["µs"])
