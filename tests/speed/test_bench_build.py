"""The build's benchmark on small data: everything is measured, and nothing of the data is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from worlds import JUDGED

from eval.bench.build_command import bench_build
from recommender.cli import run
from recommender.generation import Generations
from recommender.store import open_store

if TYPE_CHECKING:
    from tests.worlds import World

STAGES = [
    *("read", "embed", "index vectors", "judge a twin", "learn", "index words", "export the query encoder"),
    *("list what is alike", "check", "publish"),
]


def measured(data: Path, folder: Path, model: Path, *more: str) -> dict[str, Any]:
    (folder / "build.toml").write_text(f'embedder = "{model}"\n{JUDGED}', encoding="utf-8")
    files = ["--build", str(folder / "build.toml"), "--json", str(folder / "build.json"), "--markdown", str(folder / "build.md")]
    assert run(["--data", str(data), *files, *more], bench_build) == 0
    figures: dict[str, Any] = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    return figures


def test_a_build_is_measured_in_a_copy(fresh_world: Callable[[], World], model: Path, tmp_path: Path) -> None:
    world = fresh_world()
    before = Generations(world.settings.generations_path).ids()

    figures = measured(world.data, tmp_path, model)

    assert Generations(world.settings.generations_path).ids() == before
    assert sorted(path.name for path in world.data.parent.iterdir()) == ["data"]
    assert list(figures["stages"]) == [*STAGES, "export feeds"]
    assert figures["inputs"]["items"] == 60
    assert figures["export"]["feeds"] == 40
    assert figures["build"]["generation MB"] > 0
    assert {"twin: fit: sequence", "twin: judgement", "collaborative", "transitions"} <= set(figures["parts"])
    assert all(stage["peak MB"] > 1 for stage in figures["stages"].values())
    assert figures["build"]["cpu s"] == pytest.approx(sum(figures["stages"][name]["cpu s"] for name in STAGES))
    document = (tmp_path / "build.md").read_text(encoding="utf-8")
    assert all(f"## {title}" in document for title in ("Stages", "The whole build", "Everybody's feed"))
    assert "bench build" in document


def test_with_keep_the_generation_stays(fresh_world: Callable[[], World], model: Path, tmp_path: Path) -> None:
    world = fresh_world()
    before = Generations(world.settings.generations_path).ids()

    figures = measured(world.data, tmp_path, model, "--keep")

    generations = Generations(world.settings.generations_path)
    [made] = set(generations.ids()) - set(before)
    # Other settings than those of the generation before may be refused by the gate, and are then not active.
    assert figures["build"]["published"] == (generations.current_id() == made)
    assert (figures["export"] is not None) == figures["build"]["published"]
    assert not (world.data / "feeds.parquet").exists()


def test_a_second_night_is_measured_beside_the_first(fresh_world: Callable[[], World], model: Path, tmp_path: Path) -> None:
    world = fresh_world()

    figures = measured(world.data, tmp_path, model, "--changed", "0.05")

    first, second = figures["nights"].values()
    assert list(figures["nights"]) == ["first, nothing cached", "second, 5.0% changed"]
    assert (first["embedded"], first["cached"]) == (60, 0)
    assert (second["embedded"], second["cached"]) == (3, 57)
    assert first["cpu of the first"] == 1
    assert second["cpu of the first"] == pytest.approx(second["cpu s"] / first["cpu s"])
    assert "## A second night beside the first" in (tmp_path / "build.md").read_text(encoding="utf-8")
    with open_store(world.settings.store_path) as store:
        assert not any("Written anew" in stored.item.text for batch in store.iter_items(upto=store.change_sequence()) for stored in batch)


def test_what_is_kept_is_not_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--data", str(tmp_path), "--keep", "--changed", "0.1"], bench_build) == 2
    assert "give one of the two" in capsys.readouterr().err


def test_a_folder_without_a_store_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--data", str(tmp_path)], bench_build) == 1
    assert "a data folder, or one that holds" in capsys.readouterr().err
