"""Finished runs side by side: the queries that both judged, in whatever order, and no others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval.evaluation import Evaluation
from eval.finished import compare_runs, read_run
from eval.outputs.finished_figures import finished_figures, finished_tables
from eval.outputs.person_rows import write_person_rows
from eval.report.compare_page import compare_page
from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.judging import holm, randomisation_test

START = datetime(2026, 3, 1, tzinfo=UTC)
Capture = pytest.CaptureFixture[str]


def rows(
    people: Sequence[int],
    ndcg: Sequence[float | None],
    *,
    targets: int = 1,
    day: int = 0,
    segment: str | None = None,
    variant: str = "blend",
) -> pa.Table:
    """A row a person: whoever has number n has n events."""
    count = len(people)
    return pa.table(
        {
            "window": ["by time"] * count,
            "person_kind": ["user"] * count,
            "person_id": [f"person-{number}" for number in people],
            "at": pa.array([START + timedelta(days=day)] * count, pa.timestamp("us", "UTC")),
            "segment": pa.array([segment] * count, pa.string()),
            "variant": [variant] * count,
            "history_length": pa.array(list(people), pa.int32()),
            "targets": pa.array([targets] * count, pa.int32()),
            "ndcg@10": pa.array(ndcg, pa.float64()),
            "recall@20": pa.array([1.0] * count, pa.float64()),
            "first_10": pa.array([["a"]] * count, pa.list_(pa.string())),
        }
    )


def written(path: Path, *tables: pa.Table) -> Path:
    pq.write_table(pa.concat_tables(tables), path)
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Runs on people 0 to 9 and, in another order, 4 to 13; the first is better by a tenth of a person's number for whom both have."""
    ours = written(tmp_path / "ours.parquet", rows(range(10), [number / 10 for number in range(10)], segment="<b>new</b>"))
    return ours, written(tmp_path / "theirs.parquet", rows(range(13, 3, -1), [0.0] * 10))


def test_runs_are_compared_over_the_queries_that_both_judged(two: tuple[Path, Path]) -> None:
    found = compare_runs(*(read_run(path, "blend") for path in two), "blend")
    assert (found.people, found.queries, found.of_ours, found.of_theirs) == (6, 6, 10, 10)
    first, second = found.rows
    assert (first.metric, first.queries, first.ours.mean, first.theirs.mean) == ("ndcg@10", 6, pytest.approx(0.65), 0)
    assert first.difference.mean == pytest.approx(0.65)
    single = [randomisation_test(np.arange(4, 10) / 10, np.zeros(6), np.random.default_rng(0)), 1.0]
    assert [first.p, second.p] == holm(single).tolist()
    by_length, by_segment = found.break_downs
    # Of people 4 to 9, two have up to five events and four more; fewer than five have no mean.
    assert [(group.name, group.count) for group in by_length.groups] == [("2–5", 2), ("6–20", 4)]
    assert [(group.name, group.means["this"].mean) for group in by_segment.groups] == [("<b>new</b>", pytest.approx(0.65))]


def test_who_has_no_value_in_one_of_the_runs_is_left_out_of_that_metric(tmp_path: Path) -> None:
    ours = written(tmp_path / "a.parquet", rows([1, 2, 3], [0.5, None, 0.7]))
    theirs = written(tmp_path / "b.parquet", rows([1, 2, 3], [None, 0.1, 0.2]))
    found = compare_runs(read_run(ours, "blend"), read_run(theirs, "blend"), "blend")
    assert {row.metric: (row.queries, row.difference.mean) for row in found.rows} == {"ndcg@10": (1, 0.7 - 0.2), "recall@20": (3, 0)}


def test_several_queries_of_one_person_at_one_moment_are_paired_in_order(tmp_path: Path) -> None:
    ours = written(tmp_path / "a.parquet", rows([1, 1, 2], [0.5, 0.7, 0.9]))
    theirs = written(tmp_path / "b.parquet", rows([2, 1, 1], [0.0, 0.1, 0.2]))
    found = compare_runs(read_run(ours, "blend"), read_run(theirs, "blend"), "blend")
    assert (found.people, found.queries) == (2, 3)
    assert found.rows[0].difference.mean == pytest.approx((0.4 + 0.5 + 0.9) / 3)


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (rows([20, 21], [0.1, 0.2]), "none of them one of the 3"),
        (rows([1, 2, 3], [0.1] * 3, day=1), "the same --cut"),
        (rows([1, 2, 3], [0.1] * 3, targets=2), "other numbers of items to be found for 3 of 3 queries"),
        (rows([1, 2, 3], [0.1] * 3).drop_columns(["ndcg@10", "recall@20"]), "no metric for anybody"),
        (rows([1, 2, 3], [0.1] * 3, variant="graph"), "--variant: given 'blend'"),
        (pa.table({"person": [1]}), "no column window"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_in_words(tmp_path: Path, theirs: pa.Table, told: str, capsys: Capture) -> None:
    ours, other = written(tmp_path / "a.parquet", rows([1, 2, 3], [0.5] * 3)), written(tmp_path / "b.parquet", theirs)
    assert run(["eval", "compare", str(ours), str(other)]) == 1
    assert told in capsys.readouterr().err


def test_what_is_no_run_at_all_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no", encoding="utf-8")
    for name in ("text.parquet", "none.parquet"):
        with pytest.raises(InvalidInput, match=name):
            read_run(tmp_path / name, "blend")


def test_the_command_prints_and_writes_what_the_runs_have_in_common(two: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    assert run(["eval", "compare", *map(str, two), "--json", str(report), "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "6 shared queries of 6 people" in printed.replace("\n", " ")
    assert "By history length: ndcg@10" in printed
    assert max(map(len, printed.splitlines())) <= 80
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert figures["metrics"]["ndcg@10"]["difference"]["mean"] == pytest.approx(0.65)
    text = page.read_text(encoding="utf-8")
    assert "person-" not in text + report.read_text(encoding="utf-8")
    assert "<b>new" not in text
    assert text.count("<figcaption>") == 1


def test_a_run_beside_itself_and_options_of_an_evaluation_are_refused(two: tuple[Path, Path], capsys: Capture) -> None:
    assert run(["eval", "compare", str(two[0]), str(two[0])]) == 1
    assert "another file than THIS" in capsys.readouterr().err
    assert run(["eval", "--ablate", "--people", "5", "compare", *map(str, two)]) == 2
    assert "--people, --ablate belongs to an evaluation" in capsys.readouterr().err


def test_what_an_evaluation_wrote_compares_with_itself_under_another_variant(whole: Evaluation, tmp_path: Path) -> None:
    write_person_rows(whole, tmp_path / "run.parquet")
    blend, other = (read_run(tmp_path / "run.parquet", variant) for variant in ("blend", "other"))
    found = compare_runs(blend, other, "blend")
    assert found.queries == len(whole.comparison.held_out)
    assert whole.compared is not None
    by_metric = {row.metric: row for row in found.rows}
    assert by_metric["ndcg@10"].difference.mean == pytest.approx(whole.compared.blend_over("other").mean)
    assert {broken.by for broken in found.break_downs} == {"history length", "segment"}
    figures = finished_figures(found)
    assert len(list(finished_tables(figures))) == 3
    assert "<script" not in compare_page(figures)
