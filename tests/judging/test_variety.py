"""Varied, surprising, fresh and calibrated, by hand."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.judging.variety import (
    category_shares,
    intra_list_diversity,
    mean_age_days,
    miscalibration,
    serendipity,
    share_younger,
)
from recommender.times import DAY_US, MISSING_TIME

LISTS = np.array([[0, 1, 2], [3, 0, -1], [-1, -1, -1]], dtype=np.int32)


def test_diversity_by_hand() -> None:
    vectors = np.array([[[1, 0], [0, 2], [3, 3]], [[1, 0], [5, 0], [0, 0]], [[1, 0], [-1, 0], [0, 0]]], dtype=np.float32)
    present = np.array([[True, True, True], [True, True, False], [True, True, False]])
    cosine = 1 / sqrt(2)
    np.testing.assert_allclose(intra_list_diversity(vectors, present), [1 - (0 + cosine + cosine) / 3, 0, 2], atol=1e-7)


def test_a_list_of_fewer_than_two_vectors_has_no_variety() -> None:
    vectors = np.ones((3, 2, 4), dtype=np.float32)
    assert intra_list_diversity(vectors, np.array([[True, False], [False, True], [False, False]])).tolist() == [0, 0, 0]
    assert intra_list_diversity(np.zeros((1, 0, 4)), np.zeros((1, 0), dtype=np.bool_)).tolist() == [0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_diversity_is_what_a_loop_over_pairs_gives(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, present = rng.normal(size=(1, k, 3)), rng.random((1, k)) < 0.7
    there = vectors[0][present[0]]
    units = there / np.linalg.norm(there, axis=1, keepdims=True)
    cosines = [units[i] @ units[j] for i in range(len(units)) for j in range(i)]
    [found] = intra_list_diversity(vectors, present)
    assert found == pytest.approx(1 - np.mean(cosines) if cosines else 0, abs=1e-9)
    assert 0 <= found <= 2 + 1e-9


def test_serendipity_counts_hits_that_popularity_would_not_have_shown() -> None:
    hits = np.array([[True, True, False], [True, False, False], [False, False, False]])
    expected = np.array([[1, 7], [0, -1], [0, 1]], dtype=np.int32)
    assert serendipity(hits, LISTS, expected, 3).tolist() == [1 / 3, 1 / 3, 0]
    assert serendipity(hits, LISTS, expected, 1).tolist() == [1, 1, 0]
    assert serendipity(hits, LISTS, LISTS, 3).tolist() == [0, 0, 0]
    assert serendipity(hits, LISTS, np.zeros((3, 0), dtype=np.int32), 10).tolist() == [2 / 10, 1 / 10, 0]


def test_ages_by_hand() -> None:
    now = np.array([10, 20, 20], dtype=np.int64) * DAY_US
    published = np.array([9 * DAY_US, 4 * DAY_US, MISSING_TIME, 25 * DAY_US], dtype=np.int64)
    # The first sees items one and six days old, and an undated one; the second one of the future and one eleven days old.
    np.testing.assert_allclose(mean_age_days(LISTS, published, now, 3), [(1 + 6) / 2, (0 + 11) / 2, np.nan])
    assert share_younger(LISTS, published, now, 6.0, 3).tolist() == [1 / 3, 1 / 3, 0]
    assert share_younger(LISTS, published, now, 6.1, 3).tolist() == [2 / 3, 1 / 3, 0]
    assert np.isnan(mean_age_days(LISTS[:1], np.full(4, MISSING_TIME), now[:1], 3)).all()


def test_an_empty_catalogue_has_no_ages() -> None:
    nothing, now = np.full((1, 3), -1, dtype=np.int32), np.zeros(1, dtype=np.int64)
    assert np.isnan(mean_age_days(nothing, np.zeros(0, dtype=np.int64), now, 3)).all()
    assert share_younger(nothing, np.zeros(0, dtype=np.int64), now, 7, 3).tolist() == [0]


CATEGORIES = sp.csr_array(np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0], [0, 0, 1]]))
"""Items of the first, of the first and second, of no, and of the third category."""


def test_categories_share_by_item_and_then_by_category() -> None:
    shares = category_shares(LISTS, CATEGORIES)
    np.testing.assert_allclose(shares, [[1.5 / 2, 0.5 / 2, 0], [1 / 2, 0, 1 / 2], [0, 0, 0]])


def test_miscalibration_by_hand() -> None:
    chosen = np.array([[0.5, 0.5, 0], [0.25, 0.75, 0], [1, 0, 0], [0, 0, 0], [0.5, 0.5, 0]])
    shown = np.array([[0.5, 0.5, 0], [0.75, 0.25, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]])
    expected = [
        0,
        0.25 * log(0.25 / (0.99 * 0.75 + 0.01 * 0.25)) + 0.75 * log(0.75 / (0.99 * 0.25 + 0.01 * 0.75)),
        -log(0.01),
        np.nan,
        -log(0.01),
    ]
    np.testing.assert_allclose(miscalibration(chosen, shown), expected, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_miscalibration_is_least_for_the_very_same_proportions(seed: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    chosen, shown = rng.dirichlet(np.ones(c), 20), rng.dirichlet(np.ones(c), 20)
    assert (miscalibration(chosen, shown) >= 0).all()
    assert (miscalibration(chosen, shown) <= -log(0.01) + 1e-9).all()
    np.testing.assert_allclose(miscalibration(chosen, chosen), 0, atol=1e-12)
