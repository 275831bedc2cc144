"""The quality benchmark runs one profile over folders of public sets and notes every look at a test part."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from handmade import contents_of, history_of, number_of
from pyroaring import BitMap
from tiny_sets import HOME, movielens, rounds, run, two_tastes

from eval.bench.collected import by_length
from eval.bench.command import quality
from eval.bench.genre_baseline import genre_popularity_recall
from eval.bench.quality import NEWEST
from eval.bench.report import Report
from eval.outputs.words import in_words
from recommender.errors import InvalidInput, RecommenderError
from recommender.items import Item, ItemKind
from recommender.judging import HeldOut
from recommender.profile import Blending, BuildSettings
from recommender.served_profile import served_profile


def noted(tmp_path: Path) -> list[dict[str, Any]]:
    log = tmp_path / "log" / "looks.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture(scope="module")
def gowalla(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    folder = tmp_path_factory.mktemp("gowalla")
    two_tastes(folder / "gowalla")
    return run(folder, ["gowalla"], folder, ablate=True), folder


def test_a_set_is_fitted_judged_in_full_and_told(gowalla: tuple[Report, Path]) -> None:
    report, folder = gowalla
    [result] = report.results
    figures = json.loads((folder / "figures.json").read_text())
    [of_set] = figures["sets"]
    assert (of_set["set"], of_set["queries"], of_set["people"], of_set["sampled"]) == ("gowalla", 120, 120, 50)
    # Of forty items of a taste twelve are known and two are looked for among 28: half of the catalogue is out of the question.
    recall, ndcg, seconds, memory = of_set["rows"]
    assert recall["mean"] > 0.6
    assert (recall["published"], recall["must"], recall["verdict"]) == (0.1920, 0.193, "aim reached")
    assert ndcg["kind"] == "mean"
    assert seconds["mean"] == of_set["costs"]["wall_s"] > 0
    assert memory["mean"] == of_set["costs"]["fit_mb"] / 1024 > 0
    assert of_set["sources"]["blend"]["mean"] > of_set["sources"]["popularity"]["mean"]
    assert of_set["leads"]["popularity"]["p"] < 0.05
    assert set(result.weights) <= set(of_set["without"])
    assert figures["served_profile"] == served_profile(BuildSettings(), HOME)
    assert figures["versions"]["numpy"] == np.__version__


def test_a_look_is_noted_before_judging_begins_and_after_it(gowalla: tuple[Report, Path]) -> None:
    report, folder = gowalla
    started, judged = noted(folder)
    assert (started["set"], started["state"], started["profile"], started["people"]) == ("gowalla", "started", BuildSettings().hash, 120)
    assert (judged["state"], judged["at"], judged["placement"]) == ("judged", started["at"], HOME.version)
    assert judged["recall@20"] == round(report.results[0].rows[0].interval.mean, 5)
    assert "recall@20" not in started
    assert not {"", "seconds"} & set(judged)


def test_the_blend_is_told_to_beat_the_sources_that_it_beats(gowalla: tuple[Report, Path]) -> None:
    [result] = gowalla[0].results
    assert result.best not in ("popularity", "blend")
    for name, (lead, p) in result.leads.items():
        assert (name in result.not_beaten) == (p >= 0.05 or lead.mean <= 0)
    assert "popularity" not in result.not_beaten
    assert in_words(result.best) in (gowalla[1] / "quality.md").read_text().split("does not beat")[1]


def test_the_same_people_know_less_and_less_in_the_cold_start_curve(gowalla: tuple[Report, Path]) -> None:
    [result] = gowalla[0].results
    curve = result.cold_start
    assert tuple(curve) == NEWEST
    assert {group.queries for group in curve.values()} == {50}
    # Histories are of twelve events, so that twenty of them are all there are; of none only popularity can speak.
    assert curve[20].means["blend"] == curve[50].means["blend"] == result.by_length["6–20"].means["blend"]
    assert curve[0].means["blend"].mean == pytest.approx(curve[0].means["popularity"].mean)
    assert curve[1].means["blend"].low > curve[0].means["blend"].high
    assert {group.means["popularity"] for group in curve.values()} == {curve[0].means["popularity"]}


def test_the_document_holds_the_tables_and_names_the_command(gowalla: tuple[Report, Path]) -> None:
    folder = gowalla[1]
    text = (folder / "quality.md").read_text()
    assert "Made by `recommender bench quality --data X` on 2026-03-01" in text
    assert served_profile(BuildSettings(), HOME) in text
    [line] = [line for line in text.splitlines() if line.startswith("| gowalla | Recall@20")]
    assert line.split(" | ")[3:6] == [".1920", "≥ .1930", "≥ .1985"]
    for heading in ("by events in the history", "newest events alone", "lost without each source", "weights by events", "Time and memory"):
        assert heading in text
    assert "candidates of each source, all of them ranked" in text
    assert "is another" in text  # … than the set that the figures are published on.


def test_other_formats_go_through_the_same_command(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    rounds(data / "logs" / "mine.txt")
    movielens(data / "ml-1m")
    (data / "mind").mkdir()
    (data / "mind" / "behaviors.tsv").write_text("no line of five fields\n")
    report = run(data, [], tmp_path, settings=BuildSettings(embedder=str(model), blending=Blending(cuts=1)), people=30)
    by_name = {result.benchmark.name: result for result in report.results}
    assert set(by_name) == {"mine", "ml-1m", "ml-1m-cold"}
    assert by_name["mine"].rows[1].interval.mean > 0.5
    rolled, cold = by_name["ml-1m"], by_name["ml-1m-cold"]
    assert (rolled.costs.fits, rolled.rows[1].measure.label) == (4, "NDCG@10, blend over best single source")
    assert rolled.queries > rolled.people
    assert rolled.rows[1].interval.mean == pytest.approx(rolled.singles["blend"].mean / rolled.singles[rolled.best].mean - 1)
    assert cold.rows[1].p is not None
    # Two thirds of the cold films are of genres that a person never liked.
    assert cold.singles["blend"].mean > 0.5
    [sentence] = report.skipped
    assert sentence.startswith("mind: skipped, ")
    assert "five fields" in sentence
    shown = " ".join(capsys.readouterr().out.split())
    assert "mine: 120 people" in shown
    assert "mind: skipped" in shown
    assert {entry["set"] for entry in noted(tmp_path)} == set(by_name)


def test_a_run_in_which_nothing_could_be_judged_fails(tmp_path: Path) -> None:
    (tmp_path / "mind").mkdir()
    (tmp_path / "mind" / "behaviors.tsv").write_text("no line of five fields\n")
    with pytest.raises(RecommenderError, match="nothing was judged: mind: skipped"):
        run(tmp_path, [], tmp_path)
    assert not noted(tmp_path)


def test_nothing_to_measure_and_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a folder that is or holds a set"):
        run(tmp_path, [], tmp_path)
    two_tastes(tmp_path / "gowalla")
    with pytest.raises(InvalidInput, match="what was found: gowalla"):
        run(tmp_path, ["beauty"], tmp_path)
    with pytest.raises(InvalidInput, match="another set than the simulated logs"):
        run(tmp_path, ["off-policy"], tmp_path)
    result = CliRunner().invoke(quality, ["--data", str(tmp_path), "--set", "yelp", "--log", str(tmp_path / "log" / "l")])
    assert isinstance(result.exception, InvalidInput)
    missing = CliRunner().invoke(quality, ["--data", str(tmp_path), "--markdown", str(tmp_path / "no" / "q.md")])
    assert isinstance(missing.exception, InvalidInput)
    assert not (tmp_path / "log").exists()


def test_the_document_of_data_sets_lists_the_options_of_the_command() -> None:
    document = (Path(__file__).parents[2] / "docs/datasets.md").read_text(encoding="utf-8")
    listed = {option for line in document.splitlines() if line.startswith("| `--") for option in re.findall(r"`(--[a-z-]+)", line)}
    assert listed | {"--data"} == {option for parameter in quality.params for option in parameter.opts}


def test_the_served_profile_is_of_settings_and_of_how_they_are_served() -> None:
    settings = BuildSettings()
    ours = served_profile(settings, HOME)
    assert len(ours) == 12
    assert ours != served_profile(settings, HOME.model_copy(update={"candidates": 300}))
    assert ours != served_profile(settings, HOME.model_copy(update={"ranker_depth": 50}))
    assert ours != served_profile(settings.model_copy(update={"seed": 1}), HOME)


def test_who_is_judged_in_several_windows_counts_as_one_person_in_every_interval() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(30)
    lengths, people = np.full(30, 3), np.arange(30, dtype=np.uint32)
    once = by_length(lengths, {"blend": values}, people)["2–5"]
    often = by_length(np.tile(lengths, 8), {"blend": np.tile(values, 8)}, np.tile(people, 8))["2–5"]
    assert (often.queries, once.queries) == (240, 30)
    assert (often.means["blend"].low, often.means["blend"].high) == pytest.approx((once.means["blend"].low, once.means["blend"].high))


def test_popularity_of_genre_by_hand() -> None:
    genres = [("war",), ("war",), ("love",), ("love",), ("war", "love"), ("war",)]
    items = [Item(f"film-{row}", ItemKind.MEDIA, title=f"Film {row}", categories=labels) for row, labels in enumerate(genres)]
    contents = contents_of(items, popularity=[4, 2, 1, 0, 0, 0])
    # War films that are known have a mean popularity of 3, love films of 1. The history is two thirds war and one third love.
    candidates = np.array([number_of(row) for row in (3, 4, 5)], dtype=np.uint32)
    held_out = HeldOut(
        people=np.zeros(1, dtype=np.uint32),
        histories=[history_of(0, 1, 2)],
        consumed=[BitMap()],
        dismissed=[BitMap()],
        targets=[np.array([number_of(5)], dtype=np.uint32)],
        cut=0,
        candidates=[candidates],
    )
    # Film 4 gets 2/3 · 3 + 1/3 · 1, film 5 gets 2/3 · 3, film 3 gets 1/3 · 1.
    assert genre_popularity_recall(contents, held_out, 1).tolist() == [0]
    assert genre_popularity_recall(contents, held_out, 2).tolist() == [1]
    with pytest.raises(ValueError, match="candidates"):
        genre_popularity_recall(contents, replace(held_out, candidates=None), 1)
