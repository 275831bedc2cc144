from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.learn.co_occurrence import co_occurrence_weights
from indexing.learn.strongest import FAN
from recommender.profile import CoOccurrence


def some_matrix() -> sp.csr_array:
    return sp.csr_array(sp.random_array((60, 25), density=0.2, rng=np.random.default_rng(3), dtype=np.float32))


def test_three_items_by_hand() -> None:
    # One person has 0 and 1, another 1 twice as strongly and 2.
    matrix = sp.csr_array(np.array([[1, 1, 0], [0, 2, 1]], dtype=np.float32))
    settings = CoOccurrence(person_exponent=1, source_exponent=0.5, target_exponent=0.25)
    one, two = 1 * 1 / 2, 2 * 1 / 3
    degrees = (1, 3, 1)
    expected = [
        [0, one / degrees[0] ** 0.5 / degrees[1] ** 0.25, 0],
        [one / degrees[1] ** 0.5 / degrees[0] ** 0.25, 0, two / degrees[1] ** 0.5 / degrees[2] ** 0.25],
        [0, two / degrees[2] ** 0.5 / degrees[1] ** 0.25, 0],
    ]
    np.testing.assert_allclose(co_occurrence_weights(matrix, settings).toarray(), expected, rtol=1e-6)


def test_by_default_it_scores_as_the_linear_part_of_gf_cf() -> None:
    # Shen et al. (CIKM 2021): r D_I^-½ R̃ᵀR̃ D_I^½, R̃ = D_U^-½ R D_I^-½; an item says nothing for itself.
    dense = some_matrix().toarray().astype(np.float64)
    people, items = dense.sum(axis=1, keepdims=True), dense.sum(axis=0)
    normalised = dense / np.sqrt(np.maximum(people, 1e-9)) / np.sqrt(items)
    filtered = normalised.T @ normalised
    np.fill_diagonal(filtered, 0)
    expected = (dense / np.sqrt(items)) @ filtered * np.sqrt(items)
    np.testing.assert_allclose(dense @ co_occurrence_weights(some_matrix(), CoOccurrence()).toarray(), expected, rtol=1e-4, atol=1e-6)


def test_each_item_keeps_what_it_says_most_for_and_the_lower_numbers_of_equals() -> None:
    # Everybody has everything, so all pairs count alike; the last items are spoken for by nobody, the first by at most so many.
    cut = co_occurrence_weights(sp.csr_array(np.ones((5, 20), dtype=np.float32)), CoOccurrence(neighbours=3))
    assert cut[[0]].indices.tolist() == [1, 2, 3]
    assert cut[[9]].indices.tolist() == [0, 1, 2]
    assert np.bincount(cut.indices, minlength=20)[:4].tolist() == [FAN * 3, FAN * 3, FAN * 3, 3]


def test_an_item_that_everything_leads_to_hears_the_strongest() -> None:
    # Item 0 with each of thirty others, which ever more people have beside it.
    rows = [[1, *(float(other == item) for other in range(1, 31))] for item in range(1, 31) for _ in range(item)]
    cut = co_occurrence_weights(sp.csr_array(np.array(rows, dtype=np.float32)), CoOccurrence(neighbours=2, source_exponent=0))
    assert np.flatnonzero(cut[:, [0]].toarray()).tolist() == list(range(31 - FAN * 2, 31))


def test_intermediate_results_grow_with_what_people_share_not_with_the_square_of_the_catalogue() -> None:
    # Fifty thousand items in pairs: the dense square would take ten gigabytes, and every row here has one neighbour.
    n = 50_000
    pairs = np.arange(n)
    matrix = sp.csr_array((np.ones(n, dtype=np.float32), (pairs // 2, pairs)), shape=(n // 2, n))
    weights = co_occurrence_weights(matrix, CoOccurrence())
    np.testing.assert_array_equal(weights.indices, pairs ^ 1)


def test_every_setting_changes_the_weights() -> None:
    usual = co_occurrence_weights(some_matrix(), CoOccurrence()).toarray()
    for changed in ({"neighbours": 3}, {"person_exponent": 0.5}, {"source_exponent": 0.5}, {"target_exponent": 0.3}):
        assert (co_occurrence_weights(some_matrix(), CoOccurrence(**changed)).toarray() != usual).any()
