"""Transfer: items that nobody knows borrow the scores of the known ones that they are like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import HOME, catalogue_of, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items, unit
from pyroaring import BitMap

from indexing.learn.labels import Labels
from indexing.learn.transfer import above_last, transfer_weights
from recommender.feeds import Query, SourceName
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind
from recommender.profile import BuildSettings, ItemItem, Transfer
from recommender.vectors import VectorIndex

SETTINGS = Transfer(neighbours=10, label_share=1.0, own_share=0.1, degree_exponent=0.25, fewest=1.0)


def labelled(*labels: Sequence[str]) -> Catalogue:
    """Items of these tags."""
    return catalogue_of([Item(f"item-{row}", ItemKind.MEDIA, tags=tuple(tags)) for row, tags in enumerate(labels)])


def vectors_of(*vectors: Sequence[float]) -> tuple[VectorIndex, np.ndarray]:
    """The index of these vectors, and which are not all zero."""
    given = unit(vectors)
    return VectorIndex.build(given, exact_limit=20_000, seed=0), given.any(axis=1)


def known(*people: int) -> sp.csr_array:
    """People by items, of which item i has `people[i]` people who each have it alone."""
    columns = np.repeat(np.arange(len(people)), people)
    shape = (len(columns), len(people))
    return sp.csr_array((np.ones(len(columns), dtype=np.float32), (np.arange(len(columns)), columns)), shape=shape)


# Nobody knows items 4 and 5; 4 has the labels of 1, 5 those of 3.
TAGS = (("opera",), ("space", "robots"), ("opera",), ("garden", "roses"), ("space", "robots"), ("garden", "roses"))
SILENT = vectors_of(*np.zeros((6, 4)))
MATRIX = known(1, 1, 1, 1, 0, 0)


def lent(weights: sp.csr_array) -> dict[tuple[int, int], float]:
    """What each lender gives to each borrower."""
    coo = weights.tocoo()
    return {(int(row), int(col)): pytest.approx(float(value), rel=1e-3) for row, col, value in zip(coo.row, coo.col, coo.data, strict=True)}


def test_a_new_item_borrows_from_the_items_of_its_labels() -> None:
    assert lent(transfer_weights(labelled(*TAGS), *SILENT, MATRIX, SETTINGS)) == {(1, 4): 1, (3, 5): 1}


def test_a_new_item_borrows_from_the_items_of_its_meaning_by_likeness() -> None:
    given = vectors_of([0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0.8, 0.6, 0, 0], [0, 1, 0, 0])
    weights = transfer_weights(labelled(*[()] * 6), *given, MATRIX, SETTINGS)
    assert lent(weights) == {(1, 4): 0.8 / (0.8 + 0.6), (3, 4): 0.6 / (0.8 + 0.6), (3, 5): 1}


def test_labels_weigh_as_much_as_they_are_told_to() -> None:
    # Item 4 has the labels of item 1 and the meaning of item 3.
    given = vectors_of([0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0])
    by_share = [
        transfer_weights(labelled(*TAGS), *given, MATRIX, SETTINGS.model_copy(update={"label_share": share})) for share in (0.0, 1.0, 9.0)
    ]
    assert [weights[1, 4] > weights[3, 4] for weights in by_share[::2]] == [False, True]
    by_labels = [float(weights[1, 4]) for weights in by_share]
    assert by_labels == sorted(by_labels)
    assert by_labels[0] == 0


def test_popular_items_lend_less() -> None:
    weights = transfer_weights(labelled(*TAGS), *SILENT, known(1, 16, 1, 1, 0, 0), SETTINGS)
    assert lent(weights) == {(1, 4): 16**-0.25, (3, 5): 1}


def test_only_the_nearest_lend_by_what_they_are_above_the_first_left_out() -> None:
    given = vectors_of([1, 0, 0, 0], [0.8, 0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0])
    weights = transfer_weights(labelled(*[()] * 6), *given, MATRIX, SETTINGS.model_copy(update={"neighbours": 2}))
    heights = 1 - 0.6, 0.8 - 0.6
    assert lent(weights) == {(0, 4): heights[0] / sum(heights), (1, 4): heights[1] / sum(heights)}


def test_shares_are_heights_above_the_first_left_out_where_there_is_one() -> None:
    near = sp.csr_array(np.array([[5, 3, 2, 0], [0, 4, 4, 4], [0, 1, 3, 0], [0, 0, 0, 0]], dtype=np.float32))
    shares = above_last(near, 2).toarray()
    # 3 and 1 above 2; three that are alike, of which none stands out; only two, which stand as they are.
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3], [0, 0.25, 0.75, 0], [0, 0, 0, 0]], rtol=1e-6)


def test_without_labels_and_without_vectors_nothing_is_lent() -> None:
    weights = transfer_weights(labelled(*[()] * 6), *SILENT, MATRIX, SETTINGS)
    assert (weights.shape, weights.nnz) == ((6, 6), 0)


def test_where_everybody_is_known_nobody_borrows() -> None:
    weights = transfer_weights(labelled(*TAGS), *SILENT, known(1, 1, 1, 1, 1, 1), SETTINGS)
    assert (weights.shape, weights.nnz, weights.dtype) == ((6, 6), 0, np.float32)


def test_where_nobody_is_known_nobody_lends() -> None:
    weights = transfer_weights(labelled(*TAGS), *SILENT, sp.csr_array((0, 6), dtype=np.float32), SETTINGS)
    assert (weights.shape, weights.nnz) == ((6, 6), 0)


def test_an_item_borrows_until_it_has_enough_weight_of_its_own() -> None:
    weights = transfer_weights(labelled(*TAGS), *SILENT, known(9, 9, 9, 9, 2, 3), SETTINGS.model_copy(update={"fewest": 3.0}))
    assert np.unique(weights.indices).tolist() == [4]


def test_labels_are_worth_more_the_rarer_they_are_and_nothing_alone() -> None:
    # "a" is on three of four items, "b" on two, "c" on one.
    labels = Labels.of(labelled(("a",), ("a", "b"), ("a", "c"), ("b",))).vectors.toarray()
    common, rare = np.log(5 / 3.5), np.log(5 / 2.5)
    length = np.hypot(common, rare)
    tags = labels[:, labels.any(axis=0)]
    np.testing.assert_allclose(tags, [[1, 0], [common / length, rare / length], [1, 0], [0, 1]], rtol=1e-6)


def test_authors_brands_and_categories_are_labels_too() -> None:
    items = [
        Item("a", ItemKind.MEDIA, author="x", categories=("news",)),
        Item("b", ItemKind.PRODUCT, author="x", brand="acme"),
        Item("c", ItemKind.PRODUCT, brand="acme", categories=("news",)),
        Item("d", ItemKind.MEDIA),
    ]
    labels = Labels.of(catalogue_of(items)).vectors
    likeness = (labels @ labels.T).toarray()
    expected = np.array([[1, 0.5, 0.5, 0], [0.5, 1, 0.5, 0], [0.5, 0.5, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(likeness, expected, rtol=1e-6)


def test_a_new_item_is_found_by_histories_that_lead_to_the_items_that_it_is_like() -> None:
    # Items 0 and 1 go together, 2 and 3 do.
    together = np.zeros((6, 6))
    together[0, 1], together[1, 0], together[2, 3], together[3, 2] = 0.8, 0.5, 0.6, 0.4
    lending = transfer_weights(labelled(*TAGS), *SILENT, MATRIX, SETTINGS)
    settings = BuildSettings(transfer=SETTINGS, item_item=ItemItem(history_decay=1.0))
    engine = engine_of(contents_of(some_items(6), item_item=together, transfer=lending.toarray()), settings)
    place = HOME.model_copy(update={"fallback": "none"})
    for row, found in ((0, 4), (1, 4), (2, 5), (3, 5)):
        query = Query(place, 6, history=history_of(row), consumed=BitMap([number_of(row)]), sources=frozenset({SourceName.TRANSFER}))
        assert rows_in(feed_of(engine, query)) == [found]


def test_looking_for_the_nearest_first_finds_what_looking_at_all_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    n = 60
    given = vectors_of(*np.where(rng.random((n, 1)) < 0.8, rng.normal(size=(n, 6)), 0))
    catalogue = labelled(*[[f"tag-{tag}" for tag in rng.choice(9, rng.integers(0, 4), replace=False)] for _ in range(n)])
    matrix = known(*rng.integers(0, 4, n).tolist())
    # With so many neighbours everything is looked at in either way.
    settings = SETTINGS.model_copy(update={"neighbours": 20})
    dense = transfer_weights(catalogue, *given, matrix, settings)
    monkeypatch.setattr("indexing.learn.transfer.ALL_COMPARED", 0)
    searched = transfer_weights(catalogue, *given, matrix, settings)
    assert dense.nnz > 100
    np.testing.assert_allclose(dense.toarray(), searched.toarray(), atol=1e-3)


def test_common_labels_propose_lenders_of_items_without_a_vector_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Items 4 and 5 have labels of one other item each; item 4 has the meaning of item 3, item 5 none.
    given = vectors_of([0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0])
    monkeypatch.setattr("indexing.learn.transfer.ALL_COMPARED", 0)
    settings = SETTINGS.model_copy(update={"neighbours": 1})
    rare = transfer_weights(labelled(*TAGS), *given, MATRIX, settings)
    monkeypatch.setattr("indexing.learn.transfer.COMMON", 0)
    common = transfer_weights(labelled(*TAGS), *given, MATRIX, settings)
    assert (rare[3, 5], common[3, 5]) == (1, 1)
    assert common[3, 4] == 1


@pytest.mark.parametrize("cells", [1, 50])
def test_blocks_of_likenesses_may_be_of_any_size(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    given = vectors_of([0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0.8, 0.6, 0, 0], [0, 1, 0, 0])
    whole = transfer_weights(labelled(*TAGS), *given, MATRIX, SETTINGS)
    monkeypatch.setattr("indexing.learn.transfer.DENSE_CELLS", cells)
    np.testing.assert_allclose(transfer_weights(labelled(*TAGS), *given, MATRIX, SETTINGS).toarray(), whole.toarray(), atol=1e-6)
