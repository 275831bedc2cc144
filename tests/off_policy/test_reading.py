"""Logged decisions from files of three kinds, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eval.off_policy.reading import read_logged
from recommender.errors import InvalidInput

COLUMNS: dict[str, list[object]] = {
    "note": ["a", "b", "c"],
    "reward": [1, 0, 1],
    "propensity": [0.5, 0.25, 0.125],
    "target_probability": [0.25, 0.25, 0.25],
    "q_logged": [0.5, 0.25, 0.5],
    "q_target": [0.5, 0.5, 0.25],
    "cluster": ["anna", "ben", "anna"],
}


def written(path: Path, columns: dict[str, list[object]]) -> Path:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if path.suffix == ".csv":
        lines = [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
        path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
def test_all_three_kinds_of_file_read_alike(tmp_path: Path, name: str) -> None:
    log = read_logged(written(tmp_path / name, COLUMNS))
    assert log.reward.tolist() == [1, 0, 1]
    assert log.weights.tolist() == [0.25 / 0.5, 0.25 / 0.25, 0.25 / 0.125]
    assert log.q_logged is not None
    assert log.q_logged.tolist() == [0.5, 0.25, 0.5]
    assert log.q_target is not None
    assert log.q_target.tolist() == [0.5, 0.5, 0.25]
    assert log.cluster is not None
    assert log.cluster.tolist() == [0, 1, 0]


def test_model_and_cluster_are_optional(tmp_path: Path) -> None:
    log = read_logged(written(tmp_path / "log.csv", {name: COLUMNS[name] for name in ("reward", "propensity", "target_probability")}))
    assert (log.q_logged, log.q_target, log.cluster) == (None, None, None)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet"])
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reward": [1, None, 1]}, "reward[1]"),
        ({"propensity": [0.5, 0.25, 0.0]}, "propensity[2]"),
        ({"target_probability": ["high", "low", "low"]}, "target_probability"),
        ({"cluster": [1, None, 2]}, "cluster[1]"),
    ],
)
def test_missing_and_impossible_values_are_named_by_column_and_row(
    tmp_path: Path, name: str, changed: dict[str, list[object]], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_logged(written(tmp_path / name, COLUMNS | changed))
    assert refused.value.field == field


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="propensity, target_probability"):
        read_logged(written(tmp_path / "log.csv", {"reward": [1, 0]}))


@pytest.mark.parametrize(
    ("name", "content"), [("log.txt", "reward\n1\n"), ("log.parquet", "no parquet"), ("log.jsonl", "{"), ("log.csv", "")]
)
def test_files_that_cannot_be_read_are_refused_by_name(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=name):
        read_logged(tmp_path / name)
