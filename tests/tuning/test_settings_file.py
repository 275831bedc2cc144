"""The written file is one that builds accept, holds nothing but differences, and says where they come from."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eval.tuning.confirmation import Confirmation, Figures
from eval.tuning.search import Found
from eval.tuning.settings_file import check_writable, differing, write_settings
from eval.tuning.space import parts_named, with_values
from eval.tuning.training_part import TrainingPart
from eval.tuning.tuning import Search, Tuned
from recommender.errors import InvalidInput
from recommender.judging import Interval
from recommender.placements import Placement
from recommender.profile import BuildSettings, load_build_settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = Placement(name="home")
(ITEM_ITEM,) = parts_named(["item_item"])
FIGURES = Figures("half revealed", 80, Interval(0.1, 0.05, 0.15), Interval(0.12, 0.07, 0.17), Interval(0.02, 0.01, 0.03))


def tuned_to(settings: BuildSettings) -> Tuned:
    found = Found(ITEM_ITEM, {"item_item.regularisation": 7.5}, 0.125, trials=20, pruned=4, earlier=6)
    confirmation = Confirmation(settings, True, {"item_item": 0.0625}, (), (FIGURES,))
    return Tuned(settings, BuildSettings(), (found,), "400 events", "300 events", confirmation, "better on a fresh cut")


def written(path: Path, settings: BuildSettings, data: TrainingPart) -> str:
    write_settings(path, tuned_to(settings), data, Search(), HOME, now=NOW)
    return path.read_text(encoding="utf-8")


def test_only_what_differs_is_written(tmp_path: Path, data: TrainingPart) -> None:
    settings = with_values(
        BuildSettings(), {"item_item.regularisation": 7.5, "blending.trees.leaves": 33, "blending.ranker": "never", "seed": 3}
    )
    text = written(tmp_path / "build.toml", settings, data)
    assert tomllib.loads(text) == {
        "seed": 3,
        "item_item": {"regularisation": 7.5},
        "blending": {"ranker": "never", "trees": {"leaves": 33}},
    }
    assert load_build_settings(tmp_path / "build.toml") == settings


def test_the_defaults_are_a_file_of_comments(tmp_path: Path, data: TrainingPart) -> None:
    text = written(tmp_path / "build.toml", BuildSettings(), data)
    assert tomllib.loads(text) == {}
    assert load_build_settings(tmp_path / "build.toml") == BuildSettings()


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "line\nbreak\x7f\x00", "größe/模型", "tab\t'single'"])
def test_any_text_and_any_small_number_reads_back(name: str, tmp_path: Path, data: TrainingPart) -> None:
    settings = BuildSettings(embedder=name, half_life_days=1e-05)
    strange = replace(data, name=f"{name}\nseed = 4")
    written(tmp_path / "build.toml", settings, strange)
    assert load_build_settings(tmp_path / "build.toml") == settings


def test_the_header_says_what_was_searched_on_what_data_with_what_figures(tmp_path: Path, data: TrainingPart) -> None:
    text = written(tmp_path / "build.toml", with_values(BuildSettings(), {"item_item.regularisation": 7.5}), data)
    header = [line for line in text.splitlines() if line.startswith("#")]
    for expected in (
        "# result: better on a fresh cut",
        "# date: 2026-03-01T12:00:00+00:00",
        f"# data: 'store.sqlite', order time, {data.description}",
        "# cut searched on: 400 events",
        "# fresh cut compared on: 300 events",
        "#   item_item: 20 trials (4 pruned, 6 of an earlier run), NDCG@10 +12.50% on the worst cut",
        "#   item_item alone on the fresh cut: NDCG@10 +6.25% on the worst cut",
        "# blend's NDCG@10 on the fresh cut, half revealed, 80 people: 0.1000 [0.0500, 0.1500] before, "
        "0.1200 [0.0700, 0.1700] after, difference +0.0200 [+0.0100, +0.0300]",
    ):
        assert expected in header
    assert header[-1].startswith("# versions: python ")
    assert "optuna " in header[-1]


def test_a_difference_is_found_in_tables_of_tables() -> None:
    defaults = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": {"g": 4}}
    assert differing({"a": 1, "b": {"c": 2, "d": {"e": 5}}, "f": {"g": 4}}, defaults) == {"b": {"d": {"e": 5}}}
    assert differing(defaults, defaults) == {}


def test_a_file_that_could_not_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nowhere" / "build.toml", tmp_path / "file" / "build.toml"):
        with pytest.raises(InvalidInput, match="--out"):
            check_writable(path)
    check_writable(tmp_path / "build.toml")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, data: TrainingPart) -> None:
    path = tmp_path / "build.toml"
    path.write_text("seed = 1\n")
    impossible = BuildSettings.model_construct(**{**dict(BuildSettings()), "seed": -1})
    with pytest.raises(InvalidInput, match="seed"):
        written(path, impossible, data)
    assert path.read_text() == "seed = 1\n"
    assert {one.name for one in tmp_path.iterdir()} == {"build.toml"}
