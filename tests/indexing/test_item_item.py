from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn import item_item
from indexing.learn.item_item import item_item_weights
from recommender.profile import ItemItem

COUNTING = ItemItem(dense_limit=0)


def some_matrix(people: int = 60, items: int = 25, *, seed: int = 3) -> sp.csr_array:
    """Weights of several sizes, some of them negative, and one item that nobody has."""
    rng = np.random.default_rng(seed)
    dense = rng.choice([0, 0, 0, 0.5, 1, 1.5, -0.5], size=(people, items)).astype(np.float32)
    dense[:, 4] = 0
    return sp.csr_array(dense)


def ease(matrix: np.ndarray, penalty: float) -> np.ndarray:
    """Steck (WWW 2019), as the paper's listing has it: B = P / −diag(P), the diagonal zero."""
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_the_dense_form_is_textbook_ease() -> None:
    matrix = some_matrix()
    positive = np.maximum(matrix.toarray().astype(np.float64), 0)
    ours = item_item_weights(matrix, ItemItem(degree_exponent=0, regularisation=7)).toarray()
    np.testing.assert_allclose(ours, ease(positive, 7), atol=1e-5)


def test_heavy_consumers_are_scaled_down_and_the_penalty_with_them() -> None:
    matrix = some_matrix()
    positive = np.maximum(matrix.toarray().astype(np.float64), 0)
    scaled = positive / positive.sum(axis=1, keepdims=True) ** 0.5
    shrink = (scaled**2).sum() / (positive**2).sum()
    ours = item_item_weights(matrix, ItemItem(degree_exponent=0.5, regularisation=7)).toarray()
    np.testing.assert_allclose(ours, ease(scaled, 7 * shrink), atol=1e-5)


def test_the_dense_form_does_not_depend_on_how_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = item_item_weights(some_matrix(), ItemItem(neighbours=5))
    monkeypatch.setattr(item_item, "CHUNK_CELLS", 60)
    cut = item_item_weights(some_matrix(), ItemItem(neighbours=5))
    np.testing.assert_allclose(whole.toarray(), cut.toarray(), atol=1e-7)


def test_counting_equals_a_dense_computation() -> None:
    matrix = some_matrix()
    positive = np.maximum(matrix.toarray().astype(np.float64), 0)
    degree = np.maximum(positive.sum(axis=0), 1e-9)
    expected = positive.T @ positive / (degree[:, None] ** 0.5 * degree[None, :] ** 0.3)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(item_item_weights(matrix, COUNTING).toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("cells", [1, 40, 1_000])
def test_counting_does_not_depend_on_how_it_is_cut(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ItemItem(dense_limit=0, neighbours=6)
    whole = item_item_weights(some_matrix(), settings)
    monkeypatch.setattr(item_item, "CHUNK_CELLS", cells)
    cut = item_item_weights(some_matrix(), settings)
    assert whole.indptr.tolist() == cut.indptr.tolist()
    assert whole.indices.tolist() == cut.indices.tolist()
    assert whole.data.tobytes() == cut.data.tobytes()


@pytest.mark.parametrize(("sizes", "most"), [([5, 1, 1, 1, 9, 2, 2], 4), ([3] * 10, 7), ([1], 100), ([0, 0, 8, 0], 3)])
def test_blocks_cover_everything_in_order_and_stay_below_the_limit(sizes: list[int], most: int) -> None:
    blocks = list(item_item._blocks(np.array(sizes), most))
    assert list(itertools.chain(*(range(block.start, block.stop) for block in blocks))) == list(range(len(sizes)))
    for block in blocks:
        assert sum(sizes[block]) <= most or block.stop - block.start == 1


@pytest.mark.parametrize("dense_limit", [0, 100])
def test_truncation_keeps_the_strongest_of_each_row(dense_limit: int) -> None:
    full = item_item_weights(some_matrix(), ItemItem(dense_limit=dense_limit, neighbours=1000)).toarray()
    cut = item_item_weights(some_matrix(), ItemItem(dense_limit=dense_limit, neighbours=4)).toarray()
    for whole, kept in zip(np.abs(full), np.abs(cut), strict=True):
        assert np.count_nonzero(kept) == min(4, np.count_nonzero(whole))
        np.testing.assert_array_equal(np.sort(whole)[-4:], np.sort(kept)[-4:])
    np.testing.assert_array_equal(cut[cut != 0], full[cut != 0])


def test_of_equally_strong_neighbours_the_lower_numbers_stay() -> None:
    # Everybody has everything, so all pairs count alike.
    cut = item_item_weights(sp.csr_array(np.ones((5, 9), dtype=np.float32)), ItemItem(dense_limit=0, neighbours=3))
    assert cut[[0]].indices.tolist() == [1, 2, 3]
    assert cut[[8]].indices.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dense_limit", [0, 100])
def test_no_item_goes_with_itself_or_with_one_that_nobody_has(dense_limit: int) -> None:
    weights = item_item_weights(some_matrix(), ItemItem(dense_limit=dense_limit)).toarray()
    assert not np.diag(weights).any()
    assert not weights[4].any()
    assert not weights[:, 4].any()


@pytest.mark.parametrize("dense", [np.zeros((0, 5)), np.zeros((3, 5)), np.eye(1, 5), -np.ones((3, 5))])
def test_fewer_than_two_items_with_events_teach_nothing(dense: np.ndarray) -> None:
    weights = item_item_weights(sp.csr_array(dense.astype(np.float32)), ItemItem())
    assert weights.shape == (5, 5)
    assert weights.nnz == 0


def test_intermediate_results_of_counting_grow_with_what_people_share_not_with_the_square_of_the_catalogue() -> None:
    # Fifty thousand items in pairs: the dense square would take ten gigabytes, and every row here has one neighbour.
    n = 50_000
    pairs = np.arange(n)
    matrix = sp.csr_array((np.ones(n, dtype=np.float32), (pairs // 2, pairs)), shape=(n // 2, n))
    weights = item_item_weights(matrix, COUNTING)
    np.testing.assert_array_equal(weights.indices, pairs ^ 1)


def test_every_setting_changes_the_weights() -> None:
    usual = item_item_weights(some_matrix(), ItemItem()).toarray()
    for changed in ({"neighbours": 3}, {"dense_limit": 0}, {"regularisation": 5.0}, {"degree_exponent": 0.0}):
        assert (item_item_weights(some_matrix(), ItemItem(**changed)).toarray() != usual).any()
