"""Weighted lists of more items than two bytes tell apart."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.cause_kernels import causes_of_lists
from recommender.lists import Lists, sections_of
from recommender.sum_kernels import looked_up, sum_lists


def drawn(n: int, *, seed: int = 0) -> sp.csr_array:
    """Weights that half precision holds as they are, some rows without any, columns in no order."""
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(n) < 0.1, 0, rng.integers(0, 30, n)) if n < 1_000 else np.where(rng.random(n) < 0.98, 0, 40)
    columns = np.concatenate([np.zeros(0, dtype=np.int32), *(rng.choice(n, min(length, n), replace=False) for length in lengths)])
    ends = np.concatenate([[0], np.cumsum(np.minimum(lengths, n))])
    return sp.csr_array((rng.integers(1, 64, len(columns)).astype(np.float32), columns.astype(np.int32), ends), shape=(n, n))


@pytest.mark.parametrize(("n", "sections"), [(0, 1), (1, 1), (2**16, 1), (2**16 + 1, 2), (150_000, 3)])
def test_there_are_as_many_sections_as_two_bytes_need(n: int, sections: int) -> None:
    assert sections_of(n) == sections


@pytest.mark.parametrize("n", [1, 50, 2**16, 2**16 + 1, 150_000])
def test_lists_hold_a_matrix_as_it_is(n: int) -> None:
    matrix = drawn(n)
    lists = Lists.of(matrix)
    assert lists.n == n
    assert (lists.matrix() != matrix).nnz == 0
    assert lists.filled.tolist() == (np.diff(matrix.indptr) > 0).tolist()
    assert lists.values.nbytes + lists.lows.nbytes == 4 * matrix.nnz


@pytest.mark.parametrize("n", [50, 150_000])
def test_sums_and_causes_are_those_of_the_matrix(n: int) -> None:
    matrix = drawn(n)
    lists, rng = Lists.of(matrix), np.random.default_rng(1)
    history = rng.choice(np.flatnonzero(lists.filled), 20, replace=False).astype(np.int32)
    strengths = rng.integers(1, 5, 20).astype(np.float32)
    expected = (sp.csr_array(matrix[history]).T @ strengths).astype(np.float32)

    items, sums, sound = sum_lists(lists, history, strengths, np.float32(0))

    assert sound
    assert sorted(items.tolist()) == np.flatnonzero(expected).tolist()
    assert looked_up(items, sums, np.arange(n, dtype=np.int32), np.float32(0), n).tolist() == expected.tolist()
    rows = items[:: max(1, len(items) // 40)]
    places, counts, _ = causes_of_lists(*lists, history, strengths, rows)
    parts = sp.csr_array(matrix[history])[:, rows].toarray() * strengths[:, None]
    for at in range(len(rows)):
        assert counts[at] > 0
        assert parts[places[at, 0], at] == parts[:, at].max()
