from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn.blocks import blocks, runs
from indexing.learn.strongest import among_all, strongest_of_dense, strongest_per_row, transposed


def with_ties() -> np.ndarray:
    """Small whole numbers, so that many magnitudes are equal and many are 0."""
    return np.random.default_rng(2).integers(-3, 4, (30, 12)).astype(np.float32)


@pytest.mark.parametrize("most", [1, 4, 11, 12, 50])
def test_the_largest_magnitudes_stay_and_of_equal_ones_the_lower_numbers(most: int) -> None:
    dense = with_ties()
    expected = np.zeros_like(dense)
    for row, values in enumerate(dense):
        best = np.argsort(-np.abs(values), kind="stable")[:most]
        expected[row, best] = values[best]
    for kept in (strongest_per_row(sp.csr_array(dense), most), strongest_of_dense(dense, most)):
        np.testing.assert_array_equal(kept.toarray(), expected)
        assert kept.nnz == np.count_nonzero(expected)


def test_the_order_in_which_a_row_is_stored_does_not_matter() -> None:
    backwards = sp.csr_array((np.ones(4, dtype=np.float32), np.array([3, 2, 1, 0]), np.array([0, 4])), shape=(1, 4))
    assert strongest_per_row(backwards, 2).toarray().tolist() == [[1, 1, 0, 0]]


def test_no_rows_stay_no_rows() -> None:
    assert strongest_per_row(sp.csr_array((0, 3), dtype=np.float32), 2).shape == (0, 3)
    assert strongest_of_dense(np.zeros((0, 3), dtype=np.float32), 2).shape == (0, 3)


def test_blocks_of_rows_are_put_together_and_transposed() -> None:
    dense = with_ties()
    parts = [sp.csr_array(dense[:10]), sp.csr_array(dense[10:])]
    np.testing.assert_array_equal(transposed(parts).toarray(), dense.T)


def test_weights_between_some_items_find_their_places_among_all() -> None:
    some = sp.csr_array(np.array([[0, 2], [3, 0]], dtype=np.float32))
    wide = among_all(some, np.array([1, 3], dtype=np.int32), 5).toarray()
    assert (wide[1, 3], wide[3, 1], np.count_nonzero(wide)) == (2, 3, 2)


@pytest.mark.parametrize(("sizes", "most"), [([5, 1, 1, 1, 9, 2, 2], 4), ([3] * 10, 7), ([1], 100), ([0, 0, 8, 0], 3), ([], 3)])
def test_blocks_cover_everything_in_order_and_stay_below_the_limit(sizes: list[int], most: int) -> None:
    cut = list(blocks(np.array(sizes, dtype=np.int64), most))
    assert list(itertools.chain(*(range(block.start, block.stop) for block in cut))) == list(range(len(sizes)))
    for block in cut:
        assert sum(sizes[block]) <= most or block.stop - block.start == 1


@pytest.mark.parametrize(("count", "most"), [(10, 3), (9, 3), (2, 5), (0, 4)])
def test_runs_cover_everything_in_order_and_none_is_longer_than_allowed(count: int, most: int) -> None:
    cut = list(runs(count, most))
    assert list(itertools.chain(*(range(run.start, run.stop) for run in cut))) == list(range(count))
    assert all(0 < run.stop - run.start <= most for run in cut)
