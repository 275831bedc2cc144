"""Cells of vectors: what is nearest to a row, whichever rows lie in them."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.halves import halved
from recommender.near_lists import FEW, Cells


@pytest.mark.parametrize("d", [5, 8])
@pytest.mark.parametrize("there", [1, 3, 15, 200, 1_200])
def test_the_nearest_of_the_rows_in_the_cells_are_found_and_none_is_its_own(d: int, there: int) -> None:
    rng = np.random.default_rng(d)
    vectors = rng.normal(size=(1_500, d)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    halves = halved(vectors)
    rows, asked = np.sort(rng.choice(1_500, there, replace=False)).astype(np.int32), np.arange(0, 1_500, 5, dtype=np.int32)

    near = Cells(halves, rows, seed=0).nearest(asked, 4)

    rounded = halves.view(np.float16).astype(np.float64)
    as_near, wanted = 0, 0
    for place, row in enumerate(asked.tolist()):
        others = rows[rows != row]
        expected = np.sort(rounded[others] @ rounded[row])[::-1][:4]
        found = near[place][near[place] >= 0]
        assert len(found) == len(set(found.tolist())) == len(expected)
        assert row not in found
        as_near += int((rounded[found] @ rounded[row] > expected.min(initial=1) - 1e-5).sum())
        wanted += len(expected)
    # Where there are many, compressed codes propose, and may miss one.
    assert as_near >= (0.9 if there > FEW else 1) * wanted
