from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.learn.als import als_item_factors, confidence_of
from recommender.profile import Collaborative

SETTINGS = Collaborative(factors=8, regularisation=0.1, alpha=5, iterations=10)


def some_matrix(people: int = 50, items: int = 30) -> sp.csr_array:
    return sp.csr_array(sp.random_array((people, items), density=0.2, rng=np.random.default_rng(3), dtype=np.float32))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    matrix = some_matrix()
    one, same, other = (als_item_factors(matrix, SETTINGS, confidence=5.0, seed=seed) for seed in (1, 1, 2))
    assert one.shape == (30, 8)
    assert one.dtype == np.float32
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    matrix = some_matrix(400, 200)
    one, several = (als_item_factors(matrix, SETTINGS, confidence=5.0, seed=1, threads=threads) for threads in (1, 3))
    assert one.tobytes() == several.tobytes()


def test_items_that_nobody_has_get_no_factors() -> None:
    dense = some_matrix().toarray()
    dense[:, [4, 7]] = 0
    factors = als_item_factors(sp.csr_array(dense), SETTINGS, confidence=5.0, seed=0)
    assert np.flatnonzero(~factors.any(axis=1)).tolist() == [4, 7]


def test_without_events_all_factors_are_zero() -> None:
    factors = als_item_factors(sp.csr_array((0, 5), dtype=np.float32), SETTINGS, confidence=5.0, seed=0)
    np.testing.assert_array_equal(factors, np.zeros((5, 8)))


def test_dislikes_push_an_item_away() -> None:
    # Twenty people like items 0 and 1; three like item 2, and as many item 3, but ten others dislike item 2.
    dense = np.zeros((20, 4), dtype=np.float32)
    dense[:, :2] = 1
    dense[:10, 2] = -1
    dense[10:13, 2] = 1
    dense[13:16, 3] = 1
    factors = als_item_factors(sp.csr_array(dense), Collaborative(factors=4, regularisation=0.1, alpha=5), confidence=5.0, seed=0)
    person = factors[0] + factors[1]
    assert person @ factors[2] < person @ factors[3] < person @ factors[0]


def test_every_setting_changes_the_factors() -> None:
    matrix = some_matrix()
    usual = als_item_factors(matrix, SETTINGS, confidence=5.0, seed=0)
    for changed in ({"factors": 9}, {"regularisation": 1.0}, {"iterations": 3}):
        other = als_item_factors(matrix, SETTINGS.model_copy(update=changed), confidence=5.0, seed=0)
        assert other.tobytes() != usual.tobytes()
    assert als_item_factors(matrix, SETTINGS, confidence=9.0, seed=0).tobytes() != usual.tobytes()


def test_confidence_is_alpha_over_the_root_of_the_share_of_pairs_that_are_there() -> None:
    # Eight pairs of 8 people and the 4 items that anybody has: one in four is there.
    dense = np.zeros((8, 6), dtype=np.float32)
    dense[np.arange(8), np.arange(8) % 4] = 2
    assert confidence_of(sp.csr_array(dense), Collaborative(alpha=3)) == 3 * np.sqrt(8 * 4 / 8)
    assert confidence_of(sp.csr_array(np.ones((5, 3), dtype=np.float32)), Collaborative(alpha=3)) == 3


def test_without_events_confidence_is_alpha() -> None:
    assert confidence_of(sp.csr_array((0, 5), dtype=np.float32), Collaborative(alpha=3)) == 3
