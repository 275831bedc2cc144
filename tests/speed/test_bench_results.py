"""One command for all benchmarks: what they found stands beside what they should reach, and what is missing says why."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from recommender.errors import RecommenderError
from server.bench.results import Part, Results, document, measure_all
from server.bench.targets import BUILD, COMPOSED, MILLION, SERVE, TARGETS, NotThere, Target, at, over, total

FIGURES: dict[str, Any] = {
    "inputs": {"items": 100_000, "machine": "A Processor", "versions": {"numpy": "2"}, "megabytes on disk": 450},
    "methods": {"GetFeed": {"server ms": 1.5, "times the canned reply": 4.0}},
}


def quiet(sentence: str) -> None:
    """Nobody is told."""


def row_of(text: str, beginning: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {beginning}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_figure_stands_beside_its_bounds_with_a_verdict() -> None:
    text = document(Results({SERVE: FIGURES, MILLION: {"methods": {"GetFeed": {"server ms": 3.9}}}}, {}), "recommender bench results")

    assert row_of(text, "Processor time of the server for a feed")[1:] == ["≤ 2 ms", "≤ 0.8 ms", "1.5 ms", "must reached"]
    assert row_of(text, "The same over a canned reply")[1:] == ["≤ 11×", "≤ 5×", "4×", "aim reached"]
    assert row_of(text, "The same at 1M")[3:] == ["2.6×", "missed"]
    assert "Made by `recommender bench results`; do not edit." in text
    assert "A Processor" in text


def test_the_share_of_the_time_by_which_processor_times_go_stands_below_them() -> None:
    feed = {"server ms": 1.5, "server ms in all": 2.1, "undisturbed": 0.42, "times the canned reply": 4.0}
    rare = {"server ms": 3.0, "server ms in all": 3.9, "undisturbed": 0.4}
    disturbed = {"methods": {"GetFeed": feed | {"server ms": 2.2, "undisturbed": 0.0}}}
    text = document(Results({SERVE: {"methods": {"GetFeed": feed, "GetFeed, rare": rare}}, MILLION: disturbed}, {}), "…")

    assert "For a feed: serve 42% of the time, serve-million too little of it, so that all of the time counts." in text
    assert row_of(text, "Processor time of a feed of 30 items, disturbed moments included, 100k")[1:] == ["2.1"]
    assert row_of(text, "Processor time of a feed that is made anew, disturbed moments included, 100k")[1:] == ["3.9"]


def test_figures_of_before_undisturbed_moments_were_told_apart_are_read_still() -> None:
    text = document(Results({SERVE: FIGURES}, {}), "…")

    assert row_of(text, "Processor time of the server for a feed")[3] == "1.5 ms"
    assert "not measured: `bench serve` does not tell methods / GetFeed / server ms in all" in text
    assert "slowed the processor down" not in text


def test_what_a_composed_feed_costs_stands_beside_the_same_bounds() -> None:
    composed = {
        "methods": {"GetFeed": {"server ms": 2.1, "times the canned reply": 9.0}},
        "swap": {"while it takes over": {"failed": 0, "over twice the usual p99": 2}},
    }
    text = document(Results({SERVE: FIGURES, COMPOSED: composed}, {}), "…")

    assert row_of(text, "With rules, variety, impressions and trials: processor time of a feed |")[1:] == [
        "≤ 2 ms",
        "≤ 0.8 ms",
        "2.1 ms",
        "missed",
    ]
    assert row_of(text, "With rules, variety, impressions and trials: the same over")[3:] == ["9×", "must reached"]
    assert row_of(text, "With rules, variety, impressions and trials: feeds that fail")[3:] == ["2", "missed"]


def test_what_was_not_measured_says_why() -> None:
    text = document(Results({SERVE: FIGURES}, {BUILD: "--build was not given"}), "…")

    assert row_of(text, "Full build")[3:] == ["not measured", "--build was not given"]
    assert row_of(text, "Start to SERVING")[3:] == ["not measured", "`bench serve` does not tell start / seconds to serving"]
    assert all(f"| {target.title} |" in text for target in TARGETS)


def test_a_bound_is_kept_from_the_side_that_is_good() -> None:
    low, high = Target("t", "", 2, 1, at("p", "x")), Target("t", "", 5, 10, at("p", "x"), at_most=False)
    assert [low.verdict(value) for value in (1, 2, 2.1)] == ["aim reached", "must reached", "missed"]
    assert [high.verdict(value) for value in (10, 5, 4.9)] == ["aim reached", "must reached", "missed"]


def test_figures_are_divided_and_added() -> None:
    measured = {"p": {"x": 3, "y": {"z": 6}, "name": "text", "none": math.nan}}
    assert over(at("p", "y", "z"), at("p", "x"))(measured) == 2
    assert total(at("p", "y", "z"), at("p", "x"))(measured) == 9
    for path in (("q",), ("p", "nothing"), ("p", "x", "deeper"), ("p", "name"), ("p", "none")):
        with pytest.raises(NotThere):
            at(*path)(measured)


def test_parts_are_measured_once_and_kept(tmp_path: Path) -> None:
    lines: list[tuple[str, ...]] = []

    def bench(*line: str) -> None:
        lines.append(line)
        Path(line[-1]).write_text(json.dumps(FIGURES))

    part = Part(SERVE, ("serve", "--data", "somewhere"))
    first = measure_all([part], tmp_path, quiet, bench)
    second = measure_all([part], tmp_path, quiet, bench)

    assert first.measured == second.measured == {SERVE: FIGURES}
    assert lines == [("serve", "--data", "somewhere", "--json", str(tmp_path / "serve.json"))]


def test_a_part_that_fails_leaves_the_others_standing(tmp_path: Path) -> None:
    def bench(*line: str) -> None:
        if "bad" in line:
            raise RecommenderError("ended with status 1")
        if "silent" not in line:
            Path(line[-1]).write_text("{" if "torn" in line else json.dumps(FIGURES))

    parts = [
        Part("failing", ("serve", "bad")),
        Part("silent", ("serve", "silent")),
        Part("torn", ("serve", "torn")),
        Part("unknown", ("no-such-benchmark",)),
        Part("without", None, "--build was not given"),
        Part("good", ("serve",)),
    ]
    results = measure_all(parts, tmp_path, quiet, bench)

    assert set(results.measured) == {"good"}
    assert set(results.why_not) == {"failing", "silent", "torn", "unknown", "without"}
    assert results.why_not["failing"] == "ended with status 1"
    assert results.why_not["unknown"] == "there is no `recommender bench no-such-benchmark`"
    assert results.why_not["without"] == "--build was not given"
