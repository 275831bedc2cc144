"""Deltas: what they hold, what they refuse, and what several of them say together."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from segmented import D, delta, item, vector

from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind, ItemState
from recommender.segments import Delta, merged


def titles(one: Delta) -> dict[int, str]:
    return dict(zip(one.numbers.tolist(), one.table.column("title").to_pylist(), strict=True))


def test_items_stand_in_order_of_their_number_with_their_own_vectors() -> None:
    made = delta([(7, 0), (3, 1)], removed=[9, 1])
    assert made.numbers.tolist() == [3, 7]
    assert made.removed.tolist() == [1, 9]
    stored = made.halves.view(np.float16)
    np.testing.assert_array_equal(stored, np.stack([vector(3, 1), vector(7, 0)]).astype(np.float16))
    assert made.catalogue.rows_of_ids(["ítem-7-😀", "ítem-9-😀"]).tolist() == [1, -1]
    assert made.catalogue.rows_of([3, 7, 8, 900]).tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize(("upserts", "removed"), [([(5, 0), (5, 1)], []), ([], [4, 4]), ([(5, 0)], [5])])
def test_an_item_that_comes_twice_is_refused(upserts: list[tuple[int, int]], removed: list[int]) -> None:
    with pytest.raises(InvalidInput, match=r"item \d more than once.*each item once"):
        delta(upserts, removed)


@pytest.mark.parametrize("number", [-1, 2**32])
def test_what_is_no_item_number_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput, match="item numbers, 0 to 4294967295"):
        delta([], [number])


def test_a_deleted_item_belongs_among_those_removed() -> None:
    with pytest.raises(InvalidInput, match="list their numbers as removed"):
        Delta.of([(1, ItemState.DELETED, item(1))], np.zeros((1, D), dtype=np.float32), dimension=D)


@pytest.mark.parametrize("shape", [(1, D - 1), (2, D), (D,)])
def test_vectors_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"vectors: given .*shape.*as long as the base's"):
        Delta.of([(1, ItemState.LIVE, item(1))], np.zeros(shape, dtype=np.float32), dimension=D)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.5])
def test_vectors_that_are_no_unit_vectors_are_refused(value: float) -> None:
    vectors = np.full((1, D), value, dtype=np.float32)
    with pytest.raises(InvalidInput, match=r"length .* of item 1"):
        Delta.of([(1, ItemState.LIVE, item(1))], vectors, dimension=D)


def test_of_several_the_newest_that_speaks_of_an_item_holds() -> None:
    made = merged([delta([(1, 0), (2, 0), (3, 0)]), delta([(2, 1)], [1]), delta([(1, 2), (4, 0)], [3])])
    assert titles(made) == {1: "version 2", 2: "version 1", 4: "version 0"}
    assert made.removed.tolist() == [3]
    stored = np.stack([vector(1, 2), vector(2, 1), vector(4, 0)]).astype(np.float16)
    np.testing.assert_array_equal(made.halves.view(np.float16), stored)
    assert made.catalogue.rows_of_ids(["ítem-4-😀"]).tolist() == [2]
    assert [card.title for card in made.catalogue.cards(np.array([1, 0]))] == ["version 1", "version 2"]


def test_merging_in_steps_is_merging_at_once() -> None:
    deltas = [delta([(1, 0), (2, 0)]), delta([(1, 1)], [2]), delta([(2, 3), (6, 0)], [1])]
    once, steps = merged(deltas), merged([merged(deltas[:2]), deltas[2]])
    assert titles(once) == titles(steps) == {2: "version 3", 6: "version 0"}
    assert once.removed.tolist() == steps.removed.tolist() == [1]
    assert once.table.to_pylist() == steps.table.to_pylist()


def test_columns_of_merged_deltas_can_be_filtered_though_their_values_and_attributes_differ() -> None:
    first = Item(id="a", kind=ItemKind.MEDIA, language="de", tags=("x", "y"), attributes={"length": 3.0})
    second = Item(id="b", kind=ItemKind.PRODUCT, language="en", tags=("y",), price=2.0, published_at=datetime(2026, 1, 1, tzinfo=UTC))
    third = Item(id="c", kind=ItemKind.MEDIA, language="de", attributes={"length": 4.0, "colour": "red"})
    parts = [
        Delta.of([(number, ItemState.LIVE, one)], np.zeros((1, D), dtype=np.float32), dimension=D)
        for number, one in ((5, first), (2, second), (9, third))
    ]
    columns = merged(parts).catalogue.columns.by_name
    language = columns["language"]
    assert [language.values[code] for code in language.codes] == ["en", "de", "de"]
    assert len(set(language.values)) == len(language.values)
    tags = columns["tags"]
    assert [[tags.values[code] for code in tags.codes[a:b]] for a, b in zip(tags.offsets, tags.offsets[1:], strict=False)] == [
        ["y"],
        ["x", "y"],
        [],
    ]
    np.testing.assert_array_equal(columns["attributes.length"].values, [np.nan, 3, 4])


def test_nothing_merged_with_something_is_something() -> None:
    made = merged([Delta.empty(D), delta([(1, 0)]), Delta.empty(D)])
    assert titles(made) == {1: "version 0"}
    assert merged([Delta.empty(D), Delta.empty(D)]).numbers.tolist() == []
