"""Loans: what items of a generation lend to those that came after it is what a build would say, had it had them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import contents_of, number_of, some_items, unit

from indexing.learn.loans import Lenders
from indexing.learn.transfer import lending_of
from recommender.generation import Contents
from recommender.items import Item, ItemKind, ItemState
from recommender.lists import Lists
from recommender.profile import Transfer
from recommender.segments import Delta, Loans
from recommender.segments.loans import joined

KNOWN, NEW = 40, 8
SETTINGS = Transfer(neighbours=6, label_share=0.7, fewest=1.0)
LABELS = ("opera", "space", "robots", "garden", "roses", "chess")


def given(seed: int) -> tuple[list[Item], np.ndarray, np.ndarray]:
    """Items, their vectors, one in seven of which is missing, and how many people know each: the last `NEW` nobody."""
    rng = np.random.default_rng(seed)
    items = [
        Item(
            f"item-{row}",
            ItemKind.MEDIA,
            tags=tuple(rng.choice(LABELS, rng.integers(0, 4), replace=False)),
            author=("", "ann", "çelik")[row % 3],
        )
        for row in range(KNOWN + NEW)
    ]
    vectors = unit(rng.normal(size=(KNOWN + NEW, 5)))
    vectors[::7] = 0
    return items, vectors, np.concatenate([rng.integers(1, 9, KNOWN), np.zeros(NEW, dtype=np.int64)])


def built(seed: int) -> Contents:
    """A generation of all items, the last of which borrow."""
    items, vectors, degrees = given(seed)
    contents = contents_of(items, vectors=vectors)
    columns = np.repeat(np.arange(len(items)), degrees)
    matrix = sp.csr_array((np.ones(len(columns), np.float32), (np.arange(len(columns)), columns)), shape=(len(columns), len(items)))
    lending = lending_of(contents.catalogue, contents.vectors, contents.has_vector, matrix, SETTINGS)
    return replace(contents, transfer=Lists.of(lending.weights), lender_worth=lending.worth, label_share=lending.label_share)


def as_new(seed: int, rows: range) -> Delta:
    """Some of the items as if they came after the generation."""
    items, vectors, _ = given(seed)
    return Delta.of(
        [(number_of(1_000 + row), ItemState.LIVE, items[row]) for row in rows], vectors[list(rows)].astype(np.float32), dimension=5
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_new_item_borrows_what_a_build_would_lend_it(seed: int) -> None:
    contents, rows = built(seed), range(KNOWN, KNOWN + NEW)
    loans = Lenders.of(contents, SETTINGS).loans(as_new(seed, rows))
    expected = contents.transfer.matrix().toarray()[:, list(rows)].T
    found = np.zeros_like(expected)
    for place, (lenders, weights) in enumerate(zip(loans.lenders, loans.weights.view(np.float16), strict=True)):
        found[place, lenders[lenders >= 0]] = weights[lenders >= 0]
    assert expected.any(axis=1).sum() >= NEW - 1
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_labels_that_nothing_has_say_nothing() -> None:
    contents = built(0)
    unheard = [(number_of(1_000), ItemState.LIVE, Item("new", ItemKind.MEDIA, tags=("unheard of",), author="nobody"))]
    loans = Lenders.of(contents, SETTINGS).loans(Delta.of(unheard, np.zeros((1, 5), dtype=np.float32), dimension=5))
    assert not (loans.lenders >= 0).any()


def test_where_nothing_lends_nothing_is_lent() -> None:
    contents = contents_of(some_items(5), vectors=np.eye(5))
    assert Lenders.of(contents, SETTINGS).loans(as_new(0, range(3))).lenders.shape == (3, 0)
    assert Lenders.of(built(0), SETTINGS).loans(Delta.empty(5)).lenders.shape[0] == 0


def test_loans_are_joined_and_taken_by_row() -> None:
    first = Loans(np.array([[3, -1]], dtype=np.int32), np.array([[7, 0]], dtype=np.int16))
    both = joined([first, Loans.none(1), Loans(np.array([[1, 2, 5]], dtype=np.int32), np.array([[1, 2, 3]], dtype=np.int16))])
    assert both.lenders.tolist() == [[3, -1, -1], [-1, -1, -1], [1, 2, 5]]
    assert both.at(np.array([2, -1, 0])).lenders.tolist() == [[1, 2, 5], [-1, -1, -1], [3, -1, -1]]
    assert both.at(np.array([2, -1, 0])).weights.tolist() == [[1, 2, 3], [1, 2, 3], [7, 0, 0]]
