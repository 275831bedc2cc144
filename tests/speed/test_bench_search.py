"""`recommender bench search`: what it measures is what a search gives, on vectors drawn the same every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from eval.search.command import search
from eval.search.filters import filters
from eval.search.measuring import Plan, measure
from eval.search.vector_sets import SETS, near_duplicates
from recommender.errors import InvalidInput
from recommender.recall import cosines_with, drawn_queries, recalls, thresholds
from recommender.vectors import VectorIndex

SMALL = ["--rows", "6000", "--dimension", "32", "--queries", "6"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("figures")
    options = [*SMALL, "--json", str(folder / "search.json"), "--markdown", str(folder / "search.md")]
    return folder, CliRunner().invoke(search, options)


def test_it_tells_inputs_and_recall_of_every_line_on_both_kinds_of_vectors(written: tuple[Path, Result]) -> None:
    folder, result = written
    assert result.exit_code == 0
    figures = json.loads((folder / "search.json").read_text())
    assert figures["inputs"].items() >= {"rows": 6000, "dimension": 32, "queries": 6, "seed": 1}.items()
    assert list(figures["sets"]) == list(SETS)
    every = [line for found in figures["sets"].values() for line in (*found["filters"], *found["deltas"])]
    assert figures["worst"] == {f"recall{size}": min(line[size]["recall"] for line in every) for size in ("@100", "@500")}
    for found in figures["sets"].values():
        assert found["index bytes"] > 6000 * 32 * 2
        assert [line["segments"] for line in found["deltas"]] == [1, 16, 64] * 2
        assert {line["allowed"] for line in found["filters"]} >= {6000, 3000, 600, 60, 6, 5700}
        for line in (*found["filters"], *found["deltas"]):
            for size in ("@100", "@500"):
                assert 0.97 <= line[size]["recall"] <= 1
                assert line[size]["low"] <= line[size]["recall"] <= line[size]["high"]
                assert line[size]["mode"] in ("exact", "index")
        # However many segments they come in, changes are found alike.
        for one, *others in (found["deltas"][:3], found["deltas"][3:]):
            assert all(line["@500"]["recall"] == one["@500"]["recall"] for line in others)


def test_the_document_holds_every_line(written: tuple[Path, Result]) -> None:
    folder, result = written
    document = (folder / "search.md").read_text()
    for heading in ("text: filters", "near-duplicates: filters", "text: deltas", "near-duplicates: index"):
        assert f"## {heading}" in document
        assert heading in result.stdout
    assert "| 50.0%, whole groups | 3,000 |" in document


def test_a_search_that_finds_the_wrong_ones_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = VectorIndex.search

    def wrong(index: VectorIndex, queries: np.ndarray, k: int, allowed: np.ndarray) -> object:
        return right(index, -queries, k, allowed)

    monkeypatch.setattr(VectorIndex, "search", wrong)
    (found,) = measure(Plan(6_000, 32, 3, 1), ["text"], tmp_path, lambda sentence: None).values()
    assert found["filters"][0]["@100"]["recall"] == 0


@pytest.mark.parametrize("name", SETS)
def test_vectors_are_the_same_every_time_and_belong_together_by_group(name: str) -> None:
    drawn, again, other = (SETS[name](3_000, 32, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(drawn.vectors, again.vectors)
    assert (drawn.vectors != other.vectors).any()
    np.testing.assert_allclose(np.linalg.norm(drawn.vectors, axis=1), 1, atol=1e-5)
    cosines = drawn.vectors[:500] @ drawn.vectors[:500].T
    alike = drawn.group[:500, None] == drawn.group[:500]
    np.fill_diagonal(cosines, np.nan)
    assert np.nanmean(cosines[alike]) > np.nanmean(cosines[~alike]) + 0.3
    if name == "near-duplicates":
        assert np.nanmin(cosines[alike]) > np.nanmax(cosines[~alike])


def test_filters_pass_what_they_say() -> None:
    drawn = near_duplicates(4_000, 16, 1)
    queries = drawn_queries(drawn.vectors, np.arange(4_000, dtype=np.int32), 3, np.random.default_rng(0))
    cosines = cosines_with(drawn.vectors, queries)
    masks = dict(filters(drawn, cosines, np.random.default_rng(0)))
    assert masks["none"].all()
    assert masks["10.0% at random"].sum() == masks["10.0%, whole groups"].sum() == 400
    # At most one group in part.
    shares = [masks["50.0%, whole groups"][drawn.group == group].mean() for group in range(drawn.group.max() + 1)]
    assert sum(0 < share < 1 for share in shares) <= 1
    gone = ~masks["the 100 nearest to each query gone"]
    for line in cosines:
        assert gone[np.argsort(-line)[:100]].all()


def test_recall_counts_rows_that_are_as_good_and_no_others() -> None:
    cosines = np.array([[0.9, 0.8, 0.8 - 5e-5, 0.7, 0.99]], dtype=np.float32)
    allowed = np.array([True, True, True, True, False])
    kth = thresholds(cosines, allowed, 2)
    assert kth == pytest.approx([0.8])
    for rows, share in (([0, 1], 1.0), ([0, 2], 1.0), ([0, 3], 0.5), ([3, 3], 0.0)):
        assert recalls(cosines, kth, np.array([rows], dtype=np.int32)).tolist() == [share]
    assert thresholds(cosines, allowed, 9) == pytest.approx([0.7])


def test_an_unknown_set_is_refused_by_name() -> None:
    result = CliRunner().invoke(search, [*SMALL, "--set", "images"])
    assert isinstance(result.exception, InvalidInput)
    assert "allowed: text, near-duplicates" in str(result.exception)
