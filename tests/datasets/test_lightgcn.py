"""LightGCN's format: a user and then items on each line, without order or time."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_rows import known, rows_of, targets

from eval.datasets.dataset import UNDATED
from eval.datasets.lightgcn import read_lightgcn
from recommender.errors import InvalidInput
from recommender.judging.cuts import given
from recommender.order import Order


def folder_of(tmp_path: Path, train: bytes, test: bytes) -> Path:
    (tmp_path / "train.txt").write_bytes(train)
    (tmp_path / "test.txt").write_bytes(test)
    return tmp_path


def test_both_parts_become_undated_clicks(tmp_path: Path) -> None:
    dataset = read_lightgcn(folder_of(tmp_path, b"0 2 0\n1 1 \n", b"0 1\n1 3 0\n"))
    assert dataset.test is not None
    assert rows_of(dataset.events) == [(0, 0), (0, 2), (1, 1)]
    assert rows_of(dataset.test) == [(0, 1), (1, 0), (1, 3)]
    assert ([item.id for item in dataset.items], dataset.people_ids) == (["0", "1", "2", "3"], ["0", "1"])
    assert set(dataset.events.at.tolist()) | set(dataset.test.at.tolist()) == {UNDATED}
    assert (dataset.order, dataset.name) == (Order.NONE, tmp_path.name)


def test_the_given_cut_judges_who_has_a_test_item(tmp_path: Path) -> None:
    dataset = read_lightgcn(folder_of(tmp_path, b"0 2 0\n1 1\n2 2\n", b"0 1 2\n1\n3 0"))
    assert dataset.test is not None
    split = given(dataset.events, dataset.test)
    assert (known(split.held_out), targets(split.held_out), split.dropped) == ({0: [0, 2], 3: []}, {0: [1], 3: [0]}, 1)


def test_a_pair_counts_once(tmp_path: Path) -> None:
    assert rows_of(read_lightgcn(folder_of(tmp_path, b"0 1 1 0 1\n", b"0 2\n")).events) == [(0, 0), (0, 1)]


def test_numbers_with_gaps_become_places_and_stay_ids(tmp_path: Path) -> None:
    dataset = read_lightgcn(folder_of(tmp_path, b"7 900000000000 5\n\n", b"3 6\r\n"))
    assert dataset.test is not None
    assert ([item.id for item in dataset.items], dataset.people_ids) == (["5", "6", "900000000000"], ["3", "7"])
    assert (rows_of(dataset.events), rows_of(dataset.test)) == ([(1, 0), (1, 2)], [(0, 1)])


@pytest.mark.parametrize(
    ("train", "where"),
    [
        (b"0 1\n1 a\n", r"train.txt:2: .*whole numbers"),
        (b"0 1\n\n2 -1\n", r"train.txt:3: .*whole numbers"),
        (b"0 1\n1 1.5\n", r"train.txt:2: "),
        (b"0 \xff\n", r"train.txt:1: "),
        (b"0 1\n1 1234567890123456789\n", r"train.txt:2: .*18 digits"),
        (b"0 1\n1 2\n\n0 3\n", r"train.txt:4: given 0, .*one line"),
        (b"", r"train.txt: given 'no line'"),
        (b" \n\n", r"train.txt: given 'no line'"),
    ],
)
def test_bad_lines_are_named_by_file_and_number(tmp_path: Path, train: bytes, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_lightgcn(folder_of(tmp_path, train, b"0 1\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0 1\n")
    with pytest.raises(InvalidInput, match=r"test.txt: given 'No such file"):
        read_lightgcn(tmp_path)
