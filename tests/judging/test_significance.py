"""Tests of significance: exact where it can be counted, honest where nothing is there."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recommender.judging.significance as significance_module
from recommender.judging import holm, randomisation_test


def p(differences: object, seed: int = 0, people: np.ndarray | None = None) -> float:
    """p of differences against nought."""
    ours = np.asarray(differences, dtype=np.float64)
    return randomisation_test(ours, np.zeros(len(ours)), np.random.default_rng(seed), people=people)


def test_few_people_are_counted_out() -> None:
    # Of eight ways to flip three signs, only none and all leave a sum as far from 0 as 6.
    assert p([1, 2, 3]) == 2 / 8
    # −1 + 2 + 3 = 4: also 1 + 2 + 3, and both with all signs turned.
    assert p([-1, 2, 3]) == 4 / 8
    assert p([5]) == 2 / 2


def test_a_tie_counts_as_as_far_however_it_is_rounded() -> None:
    # .1 + .2 and .3 differ in the last digit, and every second flip is such a tie.
    assert p([0.1, 0.2, -0.3]) == 1
    assert p([0.1, 0.2, 0.3, 0.6]) == p([1, 2, 3, 6]) == 2 / 16


def test_where_nobody_differs_nothing_is_shown() -> None:
    assert p([0, 0, 0]) == 1
    assert p(np.zeros(10_000)) == 1


def test_people_who_do_not_differ_change_nothing() -> None:
    assert p([1, 2, 3, *[0] * 1_000]) == p([1, 2, 3])


def test_many_people_are_drawn_and_p_is_never_0() -> None:
    assert p(np.ones(200)) == 1 / 10_001


def test_drawn_and_counted_flips_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).normal(0.3, 1, 12)
    counted = p(differences)
    monkeypatch.setattr(significance_module, "_all_flips", None)
    monkeypatch.setattr(significance_module, "RESAMPLES", 4_095)
    assert p(differences) == pytest.approx(counted, abs=0.03)


def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(4).normal(0.1, 1, 64)
    whole = p(differences)
    monkeypatch.setattr(significance_module, "SIGNS_AT_ONCE", 64 * 1_000)
    assert p(differences) == whole


def test_where_there_is_no_difference_1_in_20_is_below_05(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance_module, "RESAMPLES", 500)
    rng = np.random.default_rng(5)
    below = np.mean([p(rng.normal(size=30), seed) <= 0.05 for seed in range(600)])
    assert 0.02 <= below <= 0.08


def test_values_of_one_person_are_flipped_together() -> None:
    people = np.array([7, 7, 3, 3, 7])
    assert p([1, 2, 3, 4, 0.5], people=people) == p([3.5, 7]) == 2 / 4
    assert p([1, 2, 3], people=np.array([2, 0, 1])) == p([1, 2, 3])


def test_sides_may_be_swapped() -> None:
    ours, theirs = np.random.default_rng(6).random((2, 40))
    there, back = (randomisation_test(*pair, np.random.default_rng(1)) for pair in ((ours, theirs), (theirs, ours)))
    assert there == back


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [np.inf]])
def test_what_has_no_difference_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        p(values)


def test_different_people_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not the same people"):
        randomisation_test(np.ones(3), np.ones(4), np.random.default_rng(0))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=8))
def test_a_small_test_is_what_going_through_all_signs_gives(differences: list[int]) -> None:
    sums = [
        abs(sum(sign * difference for sign, difference in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    assert p(differences) == pytest.approx(np.mean([total >= abs(sum(differences)) for total in sums]))


def test_holm_by_hand() -> None:
    # In ascending order .01 · 4, .02 · 3, .03 · 2 and .5 · 1; the third may not fall below the second.
    np.testing.assert_allclose(holm([0.03, 0.5, 0.01, 0.02]), [0.06, 0.5, 0.04, 0.06])
    np.testing.assert_allclose(holm([0.4, 0.6, 0.9]), [1, 1, 1])
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [[-0.1], [1.1], [np.nan]])
def test_only_chances_can_be_corrected(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        holm(wrong)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_keeps_the_order_and_is_between_no_correction_and_bonferronis(chances: list[float]) -> None:
    corrected = holm(chances)
    order = np.argsort(chances, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    assert (corrected >= np.array(chances)).all()
    assert (corrected <= np.minimum(np.array(chances) * len(chances), 1) + 1e-12).all()
