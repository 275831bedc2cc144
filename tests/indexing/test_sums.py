"""Products of sparse matrices of which only the largest entries are kept, against the whole product."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn.strongest import strongest_per_row
from indexing.learn.sums import strongest_product


def drawn(rows: int, columns: int, *, seed: int) -> sp.csr_array:
    """A third of the entries are whole numbers from −2 to 2, so that many sums are equal and some are 0."""
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.integers(-2, 3, (rows, columns)) * (rng.random((rows, columns)) < 1 / 3)).astype(np.float32))


@pytest.mark.parametrize("most", [1, 3, 10, 100])
@pytest.mark.parametrize("own", [True, False])
def test_a_product_keeps_what_the_whole_one_would_keep(most: int, own: bool) -> None:
    left, right = drawn(30, 20, seed=1), drawn(20, 30, seed=2)
    whole = (left @ right).toarray()
    if not own:
        np.fill_diagonal(whole, 0)

    kept = strongest_product(left, right, most, own=own)

    np.testing.assert_array_equal(kept.toarray(), strongest_per_row(sp.csr_array(whole), most).toarray())
    assert kept.has_sorted_indices
    assert (kept.data != 0).all()


def test_a_product_with_nothing_is_nothing() -> None:
    assert strongest_product(sp.csr_array((0, 5), dtype=np.float32), drawn(5, 4, seed=1), 3).shape == (0, 4)
    assert strongest_product(sp.csr_array((3, 5), dtype=np.float32), drawn(5, 4, seed=1), 3).nnz == 0
