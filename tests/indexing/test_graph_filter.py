from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn.graph_filter import graph_filter
from indexing.learn.singular_vectors import balanced, right_singular_vectors
from recommender.graph_filter import ItemSpectrum
from recommender.profile import Graph


def some_matrix(people: int = 60, items: int = 25) -> sp.csr_array:
    """Weights, a few of them negative; nobody has item 4."""
    dense = sp.random_array((people, items), density=0.2, rng=np.random.default_rng(3)).toarray()
    dense[:, 4] = 0
    dense[dense > 0.9] = -0.5
    return sp.csr_array(dense.astype(np.float32))


def scores(spectrum: ItemSpectrum, history: np.ndarray) -> np.ndarray:
    """The formula of `ItemSpectrum`, from right to left."""
    return ((history * spectrum.into) @ spectrum.vectors * spectrum.gains) @ spectrum.vectors.T * spectrum.out_of


@pytest.mark.parametrize("exponent", [0, 0.5, 2])
def test_it_filters_as_an_exact_decomposition_does(exponent: float) -> None:
    dense = np.maximum(some_matrix().toarray().astype(np.float64), 0)
    people, items = dense.sum(axis=1, keepdims=True), dense.sum(axis=0)
    divided = np.sqrt(np.where(items > 0, items, np.inf))
    _, values, right = np.linalg.svd(dense / np.sqrt(np.where(people > 0, people, np.inf)) / divided)
    passed = right[:8].T @ np.diag(values[:8] ** exponent) @ right[:8]
    expected = (dense / divided) @ passed * np.sqrt(items)
    spectrum = graph_filter(some_matrix(), Graph(factors=8, exponent=exponent), seed=0)
    assert spectrum.vectors.shape == (25, 8)
    np.testing.assert_allclose(scores(spectrum, dense), expected, rtol=1e-3, atol=1e-3)


def test_people_with_one_of_two_tastes_score_their_own_higher() -> None:
    own = np.arange(40)[:, None] % 2 == np.arange(16) % 2
    dense = (own & (np.random.default_rng(1).random((40, 16)) < 0.8)).astype(np.float32)
    given = scores(graph_filter(sp.csr_array(dense), Graph(factors=4), seed=0), dense)
    assert given[own].min() > given[~own].max()


def test_the_same_seed_gives_the_same_bytes_and_another_one_the_same_filter() -> None:
    one, same, other = (graph_filter(some_matrix(), Graph(factors=8), seed=seed) for seed in (1, 1, 2))
    assert one.vectors.tobytes() == same.vectors.tobytes()
    assert one.gains.tobytes() == same.gains.tobytes()
    assert one.vectors.tobytes() != other.vectors.tobytes()
    np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-2)


def test_vectors_are_orthonormal_by_falling_value_with_their_largest_entry_positive() -> None:
    values, vectors = right_singular_vectors(balanced(abs(some_matrix())), 12, iterations=4, seed=0)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(12), atol=1e-4)
    assert (np.diff(values) <= 0).all()
    assert values[0] == pytest.approx(1, abs=1e-5)
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(12)] > 0).all()


def test_what_follows_the_rank_of_the_matrix_is_dropped_as_noise() -> None:
    # Two groups of people, within which all have the same: rank two, both singular values 1.
    dense = np.kron(np.eye(2), np.ones((10, 6))).astype(np.float32)
    spectrum = graph_filter(sp.csr_array(dense), Graph(factors=9, exponent=0), seed=0)
    np.testing.assert_allclose(spectrum.gains, [1, 1], rtol=1e-5)
    # Each of a group's six items gets a sixth of what goes in.
    np.testing.assert_allclose(scores(spectrum, np.eye(1, 12)), [[1 / 6] * 6 + [0] * 6], atol=1e-5)


def test_the_work_may_be_cut_into_pieces() -> None:
    matrix = balanced(abs(some_matrix()))
    whole, cut = (right_singular_vectors(matrix, 8, iterations=4, seed=0, cells=cells) for cells in (2**20, 1))
    np.testing.assert_allclose(whole[0], cut[0], atol=1e-5)
    np.testing.assert_allclose(whole[1], cut[1], atol=1e-3)


def test_items_that_nobody_likes_stay_out() -> None:
    spectrum = graph_filter(some_matrix(), Graph(factors=8), seed=0)
    assert not spectrum.vectors[4].any()
    assert spectrum.into[4] == spectrum.out_of[4] == 0
    assert spectrum.vectors.dtype == spectrum.into.dtype == spectrum.out_of.dtype == spectrum.gains.dtype == np.float32


@pytest.mark.parametrize("dense", [np.zeros((0, 5)), np.zeros((3, 5)), np.ones((1, 5)), -np.ones((3, 5)), np.ones((4, 1)), np.ones((0, 0))])
def test_too_little_gives_no_vectors(dense: np.ndarray) -> None:
    spectrum = graph_filter(sp.csr_array(dense.astype(np.float32)), Graph(), seed=0)
    assert spectrum.vectors.shape == (dense.shape[1], 0)
    assert spectrum.gains.shape == (0,)


def test_a_small_matrix_has_one_vector_less_than_people_or_items() -> None:
    assert graph_filter(sp.csr_array(np.eye(5, 9, dtype=np.float32)), Graph(), seed=0).vectors.shape == (9, 4)
    assert graph_filter(sp.csr_array(np.eye(9, 3, dtype=np.float32)), Graph(), seed=0).vectors.shape == (3, 2)


def test_every_setting_changes_the_spectrum() -> None:
    usual = graph_filter(some_matrix(), Graph(), seed=0)
    assert graph_filter(some_matrix(), Graph(factors=5), seed=0).vectors.shape != usual.vectors.shape
    assert (graph_filter(some_matrix(), Graph(exponent=2), seed=0).gains != usual.gains).any()
    assert len(graph_filter(some_matrix(), Graph(least_per_factor=1), seed=0).gains) > len(usual.gains)


@pytest.mark.parametrize(("people", "items", "vectors"), [(300, 200, 20), (150, 900, 15), (40, 30, 8)], ids=["items", "people", "few"])
def test_few_people_and_items_have_few_vectors(people: int, items: int, vectors: int) -> None:
    # Somebody without an item, and an item without anybody, are nobody and nothing.
    dense = np.pad((np.random.default_rng(0).random((people, items)) < 0.3).astype(np.float32), ((0, 500), (0, 500)))
    assert len(graph_filter(sp.csr_array(dense), Graph(), seed=0).gains) == vectors


def test_arrays_that_do_not_fit_make_no_spectrum() -> None:
    fitting = {"vectors": (3, 2), "into": (3,), "out_of": (3,), "gains": (2,)}
    arrays = {name: np.zeros(shape, dtype=np.float32) for name, shape in fitting.items()}
    assert ItemSpectrum(**arrays).vectors.shape == (3, 2)
    for name, shape in (("vectors", (3,)), ("into", (2,)), ("out_of", (3, 1)), ("gains", (3,))):
        with pytest.raises(ValueError, match=name):
            ItemSpectrum(**{**arrays, name: np.zeros(shape, dtype=np.float32)})
    with pytest.raises(ValueError, match="gains is float64"):
        ItemSpectrum(**{**arrays, "gains": np.zeros(2)})
