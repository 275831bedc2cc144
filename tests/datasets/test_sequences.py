"""S3-Rec's format: one user a line, items in order, attributes beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_rows import known, rows_of, targets

from eval.datasets.dataset import SECOND_US, UNDATED
from eval.datasets.sequences import read_sequences
from recommender.errors import InvalidInput
from recommender.judging.cuts import leave_last_out
from recommender.order import Order


def test_places_in_a_line_become_seconds(tmp_path: Path) -> None:
    (tmp_path / "Toys.txt").write_text("1 3 1 2\n2 2 4\n")
    dataset = read_sequences(tmp_path, "Toys")
    assert rows_of(dataset.events) == [(0, 2), (0, 0), (0, 1), (1, 1), (1, 3)]
    assert [(at - UNDATED) // SECOND_US for at in dataset.events.at.tolist()] == [0, 1, 2, 0, 1]
    assert ([item.id for item in dataset.items], dataset.people_ids) == (["1", "2", "3", "4"], ["1", "2"])
    assert (dataset.order, dataset.name, dataset.test) == (Order.SEQUENCE, "Toys", None)


def test_the_last_of_each_line_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "Toys.txt").write_text("1 3 1 2\n2 2 4\n")
    split = leave_last_out(read_sequences(tmp_path).events)
    assert (known(split.held_out), targets(split.held_out)) == ({0: [2, 0], 1: [1]}, {0: [1], 1: [3]})


def test_attributes_become_categories_of_items_that_somebody_has(tmp_path: Path) -> None:
    (tmp_path / "Toys.txt").write_text("1 3 1\n")
    (tmp_path / "Toys_item2attributes.json").write_text(f'{{"3": [7, 8, 7], "9": [1], "1": {list(range(150))}}}')
    one, three = read_sequences(tmp_path).items
    assert three.categories == ("7", "8")
    assert one.categories == tuple(str(number) for number in range(100))


def test_one_of_several_sets_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is none"):
        read_sequences(tmp_path)
    for name in ("Toys", "Beauty"):
        (tmp_path / f"{name}.txt").write_text("1 3 1\n")
    with pytest.raises(InvalidInput, match="Beauty, Toys"):
        read_sequences(tmp_path)
    assert read_sequences(tmp_path, "Beauty").name == "Beauty"


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"3": 4}', '{"3": ["a"]}', '{"3": [true]}', "\udcff"])
def test_bad_attributes_are_refused_by_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "Toys.txt").write_text("1 3 1\n")
    (tmp_path / "Toys_item2attributes.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidInput, match=r"Toys_item2attributes.json"):
        read_sequences(tmp_path)
