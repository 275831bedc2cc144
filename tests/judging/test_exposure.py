"""What lists give room to, by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.judging.exposure import (
    catalogue_coverage,
    exposures,
    gini,
    mean_over_list,
    popularity_lift,
    popularity_shares,
    self_information,
    user_coverage,
)

LISTS = np.array([[0, 1, 2], [0, 3, -1], [-1, -1, -1]], dtype=np.int32)


def test_coverage_is_the_share_of_items_in_anybodys_first_k() -> None:
    assert catalogue_coverage(LISTS, 1, 8) == 1 / 8
    assert catalogue_coverage(LISTS, 2, 8) == 3 / 8
    assert catalogue_coverage(LISTS, 3, 8) == catalogue_coverage(LISTS, 50, 8) == 4 / 8
    assert catalogue_coverage(LISTS[2:], 3, 8) == 0


def test_a_person_is_covered_by_k_items() -> None:
    assert [user_coverage(LISTS, k) for k in (1, 2, 3, 4)] == [2 / 3, 2 / 3, 1 / 3, 0]


def test_exposures_by_hand() -> None:
    assert exposures(LISTS, 3, 8).tolist() == [2, 1, 1, 1]
    assert exposures(LISTS, 1, 8).tolist() == [2]


def test_gini_by_hand() -> None:
    # Shares in ascending order 0, 1/5, 1/5, 1/5, 2/5; factors 2j − 5 − 1 are −4, −2, 0, 2, 4.
    assert gini(LISTS, 3, 5) == pytest.approx((-4 * 0 - 2 / 5 + 0 / 5 + 2 / 5 + 4 * 2 / 5) / (5 - 1))


def test_gini_is_0_where_all_are_shown_alike_and_1_where_one_is_all_there_is() -> None:
    everything = np.arange(12, dtype=np.int32).reshape(4, 3)
    assert gini(everything, 3, 12) == pytest.approx(0)
    assert gini(np.zeros((4, 1), dtype=np.int32), 1, 12) == pytest.approx(1)
    assert gini(LISTS[2:], 3, 5) == gini(LISTS[:1, :1], 1, 1) == 0


def test_more_shown_than_there_is_and_no_place_at_all_are_refused() -> None:
    for metric in (catalogue_coverage, gini):
        with pytest.raises(ValueError, match="4 different items are shown, of 3"):
            metric(LISTS, 3, 3)
        with pytest.raises(ValueError, match="k is 0"):
            metric(LISTS, 0, 8)
    with pytest.raises(ValueError, match="nobody"):
        user_coverage(LISTS[:0], 3)


def test_popularity_by_hand() -> None:
    shares = popularity_shares(np.array([4, 2, 1, 1], dtype=np.float32))
    assert shares.tolist() == [4 / 8, 2 / 8, 1 / 8, 1 / 8]
    np.testing.assert_allclose(mean_over_list(LISTS, 3, shares), [(4 + 2 + 1) / 8 / 3, (4 + 1) / 8 / 2, np.nan])
    np.testing.assert_allclose(mean_over_list(LISTS, 1, shares), [4 / 8, 4 / 8, np.nan])
    assert popularity_shares(np.zeros(3)).tolist() == [0, 0, 0]


def test_novelty_by_hand() -> None:
    bits = self_information(np.array([5, 1, 1, 0], dtype=np.float32))
    np.testing.assert_allclose(bits, [-log2(6 / 11), -log2(2 / 11), -log2(2 / 11), -log2(1 / 11)])
    np.testing.assert_allclose(mean_over_list(LISTS[:2], 2, bits), [(bits[0] + bits[1]) / 2, (bits[0] + bits[3]) / 2])
    np.testing.assert_allclose(self_information(np.zeros(8)), np.full(8, 3.0))


def test_an_empty_catalogue_has_no_means() -> None:
    assert np.isnan(mean_over_list(np.full((2, 3), -1, dtype=np.int32), 3, np.zeros(0))).all()


def test_lift_compares_what_is_shown_with_what_was_chosen() -> None:
    nan = float("nan")
    assert popularity_lift(np.array([0.4, 0.2]), np.array([0.1, 0.3])) == pytest.approx(0.3 / 0.2 - 1)
    assert popularity_lift(np.array([0.4, nan, 0.9]), np.array([0.1, 0.5, nan])) == pytest.approx(0.4 / 0.1 - 1)
    assert np.isnan(popularity_lift(np.array([0.4]), np.array([nan])))
    assert np.isnan(popularity_lift(np.array([0.4]), np.array([0.0])))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=6, unique=True), min_size=1, max_size=8), st.integers(1, 7), st.integers(10, 20))
def test_shares_and_inequality_lie_between_0_and_1(lines: list[list[int]], k: int, items: int) -> None:
    lists = np.array([[*line, *[-1] * (6 - len(line))] for line in lines], dtype=np.int32)
    counts = np.zeros(items)
    for line in lines:
        counts[line[:k]] += 1
    assert catalogue_coverage(lists, k, items) == (counts > 0).sum() / items
    assert user_coverage(lists, k) == sum(len(line) >= k for line in lines) / len(lines)
    if counts.any():
        # The mean difference of all pairs of items, which is what the index was first defined by.
        pairs = np.abs(counts[:, None] - counts[None, :]).sum() / (2 * items * (items - 1) * counts.mean())
        assert gini(lists, k, items) == pytest.approx(pairs)
    assert -1e-12 <= gini(lists, k, items) <= 1 + 1e-12
