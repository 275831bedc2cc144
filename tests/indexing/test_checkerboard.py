"""A checkerboard: person p has the items of p's own colour, all but one. Every learner must find the missing ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn.als import als_item_factors
from indexing.learn.item_item import item_item_weights, penalty_of
from recommender.profile import Collaborative, ItemItem

ITEMS, PEOPLE = 20, 40
COLOURS = np.arange(ITEMS) % 2


def checkerboard() -> tuple[sp.csr_array, np.ndarray]:
    """The matrix, and which item each person lacks."""
    dense = (np.arange(PEOPLE)[:, None] % 2 == COLOURS).astype(np.float32)
    missing = (np.arange(PEOPLE) * 2 + np.arange(PEOPLE) % 2) % ITEMS
    assert (dense[np.arange(PEOPLE), missing] == 1).all()
    dense[np.arange(PEOPLE), missing] = 0
    return sp.csr_array(dense), missing


ITEM_ITEM = [ItemItem(), ItemItem(regularisation=1.0), ItemItem(dense_limit=0)]


@pytest.mark.parametrize("settings", ITEM_ITEM)
def test_item_item_weights_find_the_missing_item(settings: ItemItem) -> None:
    matrix, missing = checkerboard()
    scores = (matrix @ item_item_weights(matrix, settings, penalty=penalty_of(matrix, settings), seed=0)).toarray()
    scores[matrix.toarray() > 0] = -np.inf
    np.testing.assert_array_equal(scores.argmax(axis=1), missing)


@pytest.mark.parametrize("settings", ITEM_ITEM)
def test_the_best_neighbours_of_an_item_are_of_its_colour(settings: ItemItem) -> None:
    matrix, few = checkerboard()[0], settings.model_copy(update={"neighbours": 3})
    weights = item_item_weights(matrix, few, penalty=penalty_of(matrix, few), seed=0).tocoo()
    assert weights.nnz == 3 * ITEMS
    assert (COLOURS[weights.row] == COLOURS[weights.col]).all()


@pytest.mark.parametrize(
    "settings", [Collaborative(factors=64, regularisation=30.0), Collaborative(factors=4, regularisation=0.1, iterations=16)]
)
def test_factors_find_the_missing_item(settings: Collaborative) -> None:
    matrix, missing = checkerboard()
    factors = als_item_factors(matrix, settings, confidence=5.0, seed=0)
    scores = matrix.toarray() @ factors @ factors.T
    scores[matrix.toarray() > 0] = -np.inf
    np.testing.assert_array_equal(scores.argmax(axis=1), missing)


def test_factors_of_one_colour_lie_together() -> None:
    factors = als_item_factors(checkerboard()[0], Collaborative(factors=2, regularisation=0.1), confidence=5.0, seed=0)
    unit = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    same = COLOURS[:, None] == COLOURS
    assert cosines[same].min() > 0.9
    assert cosines[~same].max() < 0.3
