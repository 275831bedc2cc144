"""`recommender bench store` on a small store: what it writes, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval.store_speed.command import bench_store
from recommender.store import open_store

SMALL = ["--singles", "3", "--batches", "2", "--reads", "5", "--runs", "2"]
WORLD = ["--items", "200", "--users", "50", "--events", "2000"]
MEASURED = {"one event a call, store just opened", "a hundred events a call", "one event a call", "reads of a person"}


def run(folder: Path, *arguments: str) -> dict[str, dict[str, float]]:
    file = folder / "figures.json"
    result = CliRunner().invoke(bench_store, [*arguments, *SMALL, "--json", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    assert all(name in result.output for name in json.loads(file.read_text()))
    figures: dict[str, dict[str, float]] = json.loads(file.read_text())
    return figures


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A data folder with a small world in its store."""
    from eval.store_speed.measure import imported
    from eval.world.shape import Shape

    imported(Shape(200, 50, 2_000, dimension=8), tmp_path / "data")
    return tmp_path / "data"


def test_a_world_is_drawn_imported_and_measured(tmp_path: Path) -> None:
    figures = run(tmp_path, *WORLD)
    assert figures.keys() == MEASURED | {"import of a file", "store"}
    assert figures["import of a file"]["events"] == 2_000
    assert figures["a hundred events a call"]["events"] == 200
    assert figures["store"]["events"] == 2_000 + 2 * (3 + 200 + 3)
    assert figures["store"]["items"] == 200
    for name in MEASURED:
        assert 0 < figures[name]["p50 ms"] <= figures[name]["p99 ms"]
        assert figures[name]["CPU µs each"] > 0


def test_events_go_into_the_copy_that_is_given(copy: Path, tmp_path: Path) -> None:
    figures = run(tmp_path, "--copy", str(copy))
    assert figures.keys() == MEASURED | {"store"}
    with open_store(copy / "store.sqlite") as store:
        assert store.counts().events == 2_000 + 2 * (3 + 200 + 3) == figures["store"]["events"]


def test_it_can_be_run_again_on_the_same_copy(copy: Path, tmp_path: Path) -> None:
    first = run(tmp_path, "--copy", str(copy))
    assert run(tmp_path, "--copy", str(copy))["store"]["events"] == first["store"]["events"] + 2 * 206
