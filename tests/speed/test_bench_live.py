"""New and hidden items before real servers and a real watcher: each is timed, and none is shown that was hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from worlds import build_world

from recommender.errors import InvalidInput
from recommender.store import open_store
from server.bench.live import Plan, measure_live
from server.bench.live_command import bench_live


def test_new_items_are_timed_on_every_server_and_hidden_ones_are_looked_for(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    with open_store(world.settings.store_path) as store:
        before = store.counts()
    options = ["--items", "6", "--rate", "20", "--servers", "2", "--hides", "20", "--at-once", "4", "--seconds", "0.3"]
    result = CliRunner().invoke(
        bench_live, ["--data", str(world.data), *options, "--json", str(tmp_path / "f.json")], catch_exceptions=False
    )
    assert result.exit_code == 0
    figures = json.loads((tmp_path / "f.json").read_text())

    assert figures["inputs"]["server processes"] == 2
    for row in figures["published"].values():
        assert row["items"] == 6
        assert 0 < row["median s"] <= row["p99 s"] <= row["slowest s"]
    assert figures["feeds"]["with over without"] > 0
    hidden = figures["hidden"]
    assert hidden["items hidden"] >= 20
    assert hidden["questions after"] >= 20
    assert hidden["shown though hidden"] == 0
    # All of it was done to a copy.
    with open_store(world.settings.store_path) as store:
        assert store.counts() == before
    assert not list(world.data.glob("bench-*"))


def test_without_a_generation_it_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a folder with a store and an active generation"):
        measure_live(tmp_path, Plan())
