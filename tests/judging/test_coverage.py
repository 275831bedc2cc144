from __future__ import annotations

import numpy as np
import pytest

from recommender.judging.coverage import coverage, coverage_difference


def lists(rng: np.random.Generator, people: int, among: int) -> np.ndarray:
    return rng.integers(0, among, (people, 10)).astype(np.int32)


def test_coverage_counts_each_item_once_and_no_empty_place() -> None:
    assert coverage(np.array([[0, 1, -1], [1, 2, -1]], dtype=np.int32), 6) == 3 / 6
    assert coverage(np.full((2, 3), -1, dtype=np.int32), 6) == 0
    assert coverage(np.zeros((0, 3), dtype=np.int32), 0) == 0


def test_a_real_difference_in_coverage_is_told_from_chance() -> None:
    rng = np.random.default_rng(0)
    wide, as_wide, narrow = lists(rng, 300, 400), lists(rng, 300, 400), lists(rng, 300, 150)
    lost = coverage_difference(narrow, wide, 1_000, rng)
    assert lost.mean == pytest.approx(coverage(narrow, 1_000) - coverage(wide, 1_000))
    assert lost.low < lost.mean < lost.high < 0
    chance = coverage_difference(as_wide, wide, 1_000, rng)
    assert chance.low <= 0 <= chance.high


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    # Both show 200 items to so many people that all of them are shown nearly always, or half: the true difference is that of expectations.
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(200))
    expected = np.mean([coverage(_drawn(rng, shares), 200) - coverage(_drawn(rng, np.full(200, 1 / 200)), 200) for _ in range(200)])
    held = 0
    for _ in range(100):
        found = coverage_difference(_drawn(rng, shares), _drawn(rng, np.full(200, 1 / 200)), 200, rng)
        held += found.low <= expected <= found.high
    assert held >= 88


def _drawn(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    return rng.choice(200, (40, 10), p=shares).astype(np.int32)


def test_the_same_lists_differ_by_nothing_and_others_people_are_refused() -> None:
    rng = np.random.default_rng(0)
    same = lists(rng, 50, 100)
    found = coverage_difference(same, same, 100, rng)
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="not the same people: 50 and 49"):
        coverage_difference(same, same[:49], 100, rng)
