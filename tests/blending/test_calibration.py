"""Tests of calibration: probabilities that mean what they say."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from indexing.blending.calibration import calibration_error, platt
from recommender.errors import InvalidInput


def probability(scores: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    slope, offset = fitted
    return 1 / (1 + np.exp(-(slope * scores + offset)))


def test_two_scores_get_their_smoothed_shares() -> None:
    # Ten of each: two of the low ones and eight of the high ones were taken. Smoothed, a yes counts 11 / 12 and a no 1 / 12,
    # so that the low score means (2 · 11 + 8 · 1) / 120 = 1/4 and the high one (8 · 11 + 2 · 1) / 120 = 3/4.
    scores = np.repeat([0.0, 2.0], 10)
    taken = np.array([True] * 2 + [False] * 8 + [True] * 8 + [False] * 2)
    slope, offset = platt(scores, taken)
    assert offset == pytest.approx(log((1 / 4) / (3 / 4)), abs=1e-6)
    assert slope * 2 + offset == pytest.approx(log((3 / 4) / (1 / 4)), abs=1e-6)


def test_the_law_that_made_the_answers_is_found() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(3, 2, 50_000)
    taken = rng.random(50_000) < probability(scores, np.array([0.8, -4.0]))
    assert platt(scores, taken) == pytest.approx([0.8, -4.0], rel=0.05)


def test_scores_may_be_far_away_and_on_any_scale() -> None:
    scores = np.repeat([0.0, 2.0], 10)
    taken = np.array([True] * 2 + [False] * 8 + [True] * 8 + [False] * 2)
    expected = probability(scores, platt(scores, taken))
    moved = scores * 1e-3 + 50
    assert probability(moved, platt(moved, taken)) == pytest.approx(expected, abs=1e-6)


def test_order_is_kept_even_where_the_answers_speak_against_it() -> None:
    scores = np.linspace(-1, 1, 100)
    taken = scores < 0
    slope, offset = platt(scores, taken)
    assert slope > 0
    assert (np.diff(probability(scores, np.array([slope, offset]))) > 0).all()
    # Half were taken, and next to nothing is left of the slope.
    assert probability(scores, np.array([slope, offset])) == pytest.approx(np.full(100, 0.5), abs=1e-4)


def test_perfectly_parted_answers_stay_short_of_certainty() -> None:
    scores = np.array([-1.0] * 50 + [1.0] * 50)
    assert probability(scores, platt(scores, scores > 0)) == pytest.approx([1 / 52] * 50 + [51 / 52] * 50, abs=1e-6)


@pytest.mark.parametrize(("answer", "expected"), [(False, 1 / 12), (True, 11 / 12)])
def test_answers_all_alike_give_their_smoothed_share(answer: bool, expected: float) -> None:
    scores = np.arange(10.0)
    fitted = platt(scores, np.full(10, answer))
    assert fitted[0] > 0
    assert probability(scores, fitted) == pytest.approx(np.full(10, expected), abs=1e-4)


def test_scores_all_alike_give_the_smoothed_mean() -> None:
    # Three of four taken: (3 · 4/5 + 1/3) / 4.
    fitted = platt(np.full(4, 7.0, dtype=np.float32), np.array([True, True, True, False]))
    assert fitted[0] > 0
    assert probability(np.array([7.0]), fitted) == pytest.approx([(3 * 4 / 5 + 1 / 3) / 4], abs=1e-6)


@pytest.mark.parametrize("scores", [[], [0.0, np.nan], [0.0, np.inf]])
def test_no_scores_and_those_that_are_no_numbers_are_refused(scores: list[float]) -> None:
    with pytest.raises(InvalidInput, match="scores"):
        platt(np.array(scores), np.zeros(len(scores), dtype=np.bool_))


def test_one_answer_per_score_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match="taken"):
        platt(np.zeros(3), np.zeros(2, dtype=np.bool_))
    with pytest.raises(InvalidInput, match="taken"):
        platt(np.zeros(2), np.zeros(2))


def test_the_error_is_the_mean_distance_over_bins() -> None:
    # Two bins of two: (.1 + .3) / 2 against 1/2, and (.6 + .8) / 2 against 1.
    taken = np.array([True, True, False, True])
    assert calibration_error(np.array([0.1, 0.6, 0.3, 0.8]), taken, bins=2) == pytest.approx((abs(0.2 - 0.5) + abs(0.7 - 1)) / 2)


def test_equal_probabilities_share_a_bin_in_whatever_order_they_come() -> None:
    taken = np.array([True] * 50 + [False] * 50)
    assert calibration_error(np.full(100, 0.5), taken) == 0
    assert calibration_error(np.full(100, 0.25), taken) == 0.25


def test_fewer_probabilities_than_bins_are_judged_one_by_one() -> None:
    assert calibration_error(np.array([0.25, 0.75]), np.array([False, True])) == pytest.approx((0.25 + 0.25) / 2)


def test_fitted_probabilities_err_less_than_raw_ones() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=20_000)
    taken = rng.random(20_000) < probability(scores, np.array([1.5, -3.0]))
    half = np.arange(20_000) % 2 == 0
    raw = probability(scores[~half], np.array([1.0, 0.0]))
    fitted = probability(scores[~half], platt(scores[half], taken[half]))
    assert calibration_error(fitted, taken[~half]) < 0.02 < 0.2 < calibration_error(raw, taken[~half])


@pytest.mark.parametrize("value", [-0.01, 1.01, np.nan])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput, match="probabilities"):
        calibration_error(np.array([0.5, value]), np.array([True, False]))
