"""Coat: dense matrices of ratings and propensities."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.datasets.coat import read_coat
from recommender.errors import InvalidInput

FILES = {"train": "0 5 0 \n1 0 0 \n", "test": "3 0 0\n0 0 2\n", "propensities": "5e-1 2.5e-01 1\n0.5 0.5 0.125\n"}


def folder_of(tmp_path: Path, **changed: str) -> Path:
    for name, text in (FILES | changed).items():
        (tmp_path / f"{name}.ascii").write_text(text)
    return tmp_path


def test_ratings_and_propensities_are_read_as_they_stand(tmp_path: Path) -> None:
    coat = read_coat(folder_of(tmp_path))
    assert coat.train.tolist() == [[0, 5, 0], [1, 0, 0]]
    assert coat.test.tolist() == [[3, 0, 0], [0, 0, 2]]
    assert coat.propensity.tolist() == [[0.5, 0.25, 1.0], [0.5, 0.5, 0.125]]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"train": "0 5 0\n1 0\n"}, "train.ascii:2: given '2 numbers'"),
        ({"train": "0 5 0\n1 x 0\n"}, "train.ascii:2: given '1 x 0'"),
        ({"train": "0 5 0\n6 0 0\n"}, "train.ascii:2: given 6.0"),
        ({"train": "0 5 0\n1.5 0 0\n"}, "train.ascii:2: given 1.5"),
        ({"train": "0 0 0\n0 0 0\n"}, "train: given 'no rating'"),
        ({"test": "0 5 0\n"}, r"test: given 'shape \(1, 3\)'"),
        ({"test": ""}, "test.ascii: given 'no line'"),
        ({"propensities": "0.5 0.5 0\n0.5 0.5 0.5\n"}, "propensity"),
        ({"propensities": "0.5 0.5 nan\n0.5 0.5 0.5\n"}, "propensities.ascii:1: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, str], where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_coat(folder_of(tmp_path, **changed))
