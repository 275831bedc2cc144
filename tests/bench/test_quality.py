"""The quality benchmark runs the default profile over folders of public sets and notes every look at a test part."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from handmade import contents_of, history_of, number_of
from pyroaring import BitMap

from eval.bench.command import bench_group
from eval.bench.genre_baseline import genre_popularity_recall
from eval.bench.quality import Result
from eval.bench.run import run_quality
from eval.bench.sets import BENCHMARKS
from indexing.progress import Lines
from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind
from recommender.judging import HeldOut
from recommender.profile import BuildSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def two_tastes(folder: Path, people: int = 120, items: int = 80) -> Path:
    """A set in LightGCN's format: person n takes up items of taste n % 2, of which two are held out."""
    rng = np.random.default_rng(3)
    train, test = [], []
    for person in range(people):
        chosen = rng.choice(np.arange(person % 2, items, 2), 14, replace=False)
        train.append(" ".join(map(str, [person, *chosen[:12]])))
        test.append(" ".join(map(str, [person, *chosen[12:]])))
    folder.mkdir()
    (folder / "train.txt").write_text("\n".join(train) + "\n")
    (folder / "test.txt").write_text("\n".join(test) + "\n")
    return folder


def run(data: Path, names: list[str], tmp_path: Path, *, ablate: bool = False) -> list[Result]:
    log, report = tmp_path / "log" / "looks.jsonl", tmp_path / "figures.json"
    return run_quality(
        data, names, BuildSettings(), tmp_path / "cache", Lines(StringIO()), people=50, ablate=ablate, json_report=report, log=log, now=NOW
    )


def test_a_set_is_fitted_judged_in_full_and_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_tastes(tmp_path / "gowalla")
    [result] = run(tmp_path, ["gowalla"], tmp_path, ablate=True)
    [noted] = [json.loads(line) for line in (tmp_path / "log" / "looks.jsonl").read_text().splitlines()]
    [figures] = json.loads((tmp_path / "figures.json").read_text())
    assert (noted["set"], noted["profile"], noted["people"]) == ("gowalla", BuildSettings().hash, 120)
    assert noted["recall@20"] == pytest.approx(figures["figures"]["recall@20"]["mean"], abs=1e-5)
    # Of forty items of a taste twelve are known and two are looked for among 28: half of the catalogue is out of the question.
    assert figures["figures"]["recall@20"]["mean"] > 0.6
    assert figures["sources"]["blend"]["mean"] > figures["sources"]["popularity"]["mean"]
    assert {f"without {name}" for name in result.weights} <= set(figures["without"])
    assert "gowalla: 120 queries" in capsys.readouterr().out.replace("\n", " ")


def test_a_set_whose_folder_is_absent_is_skipped_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_tastes(tmp_path / "gowalla")
    assert len(run(tmp_path, ["beauty", "gowalla"], tmp_path)) == 1
    assert "beauty: skipped" in capsys.readouterr().out


def test_nothing_to_measure_and_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a folder that holds at least one of"):
        run(tmp_path, [], tmp_path)
    with pytest.raises(InvalidInput, match="among gowalla, beauty"):
        run(tmp_path, ["yelp"], tmp_path)
    result = CliRunner().invoke(bench_group, ["quality", "--data", str(tmp_path), "--set", "yelp"])
    assert isinstance(result.exception, InvalidInput)
    assert not (tmp_path / "log").exists()


def test_every_set_says_how_it_is_judged_and_what_is_wanted() -> None:
    for benchmark in BENCHMARKS.values():
        assert benchmark.protocol
        assert bool(benchmark.source) == any(measure.published for measure in benchmark.measures)
        assert all(measure.must is None or measure.must < (measure.aim or 1) for measure in benchmark.measures)


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
