"""Estimates and diagnostics of four decisions, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eval.off_policy import (
    LoggedDecisions,
    all_estimates,
    clipped,
    clipping_bias,
    diagnose,
    doubly_robust,
    effective_sample_size,
    ips,
    naive,
    snips,
)
from recommender.errors import InvalidInput

# Weights 2, 1/2, 0 and 4.
FOUR = LoggedDecisions(
    reward=np.array([1.0, 3.0, 5.0, 2.0]),
    propensity=np.array([0.25, 0.5, 0.5, 0.125]),
    target_probability=np.array([0.5, 0.25, 0.0, 0.5]),
    q_logged=np.array([2.0, 2.0, 4.0, 3.0]),
    q_target=np.array([1.0, 2.5, 3.0, 1.5]),
)


def test_the_naive_mean_knows_nothing_of_the_target() -> None:
    assert naive(FOUR).mean == pytest.approx((1 + 3 + 5 + 2) / 4)


def test_ips_is_the_mean_of_weighted_rewards() -> None:
    assert ips(FOUR).mean == pytest.approx((2 * 1 + 0.5 * 3 + 0 * 5 + 4 * 2) / 4)


def test_snips_divides_by_the_weights() -> None:
    assert snips(FOUR).mean == pytest.approx((2 * 1 + 0.5 * 3 + 0 * 5 + 4 * 2) / (2 + 0.5 + 0 + 4))


def test_doubly_robust_corrects_the_model_where_it_was_wrong() -> None:
    model = (1 + 2.5 + 3 + 1.5) / 4
    correction = (2 * (1 - 2) + 0.5 * (3 - 2) + 0 * (5 - 4) + 4 * (2 - 3)) / 4
    assert doubly_robust(FOUR).mean == pytest.approx(model + correction)


def test_clipping_cuts_weights_and_says_what_that_costs() -> None:
    assert clipped(FOUR, 3).mean == pytest.approx((2 * 1 + 0.5 * 3 + 0 * 5 + 3 * 2) / 4)
    shift, bound = clipping_bias(FOUR, 3)
    assert shift == pytest.approx(-(4 - 3) * 2 / 4)
    assert clipped(FOUR, 3).mean == pytest.approx(ips(FOUR).mean + shift)
    assert bound == pytest.approx((4 - 3) / 4 * 5)
    assert clipped(FOUR, 4) == ips(FOUR)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_clip_that_is_not_above_zero_is_refused(limit: float) -> None:
    with pytest.raises(InvalidInput, match="clip"):
        clipped(FOUR, limit)
    with pytest.raises(InvalidInput, match="clip"):
        clipping_bias(FOUR, limit)


def test_a_log_without_reward_model_has_every_estimate_but_dr() -> None:
    bare = LoggedDecisions(FOUR.reward, FOUR.propensity, FOUR.target_probability)
    assert list(all_estimates(bare, clip=3)) == ["naive", "ips", "snips", "clipped"]
    assert list(all_estimates(FOUR, clip=3)) == ["naive", "ips", "snips", "clipped", "dr"]
    with pytest.raises(InvalidInput, match="q_logged"):
        doubly_robust(bare)


def test_judging_the_logging_policy_itself_gives_its_own_mean() -> None:
    own = LoggedDecisions(FOUR.reward, FOUR.propensity, FOUR.propensity)
    assert ips(own) == snips(own) == naive(own)


def test_effective_sizes_count_rows_of_equal_weight() -> None:
    assert effective_sample_size(np.array([3.0, 3.0, 3.0])) == pytest.approx(3)
    assert effective_sample_size(np.array([5.0, 0.0])) == pytest.approx(1)
    assert effective_sample_size(np.zeros(2)) == 0
    found = diagnose(FOUR)
    assert found.rows == 4
    assert found.effective == pytest.approx((2 + 0.5 + 4) ** 2 / (4 + 0.25 + 16))
    assert found.effective_rewards == pytest.approx((2 + 1.5 + 8) ** 2 / (4 + 1.5**2 + 64))
    assert found.largest == 4
    assert found.heavy == 0
    assert found.mean == pytest.approx(6.5 / 4)
    assert found.mean_error == pytest.approx(np.sqrt((4 + 0.25 + 16) / 4 - (6.5 / 4) ** 2) / 2)


def test_rows_that_weigh_more_than_ten_are_heavy() -> None:
    log = LoggedDecisions(np.ones(4), np.array([0.05, 0.05, 0.5, 0.1]), np.array([0.9, 0.1, 0.5, 1.0]))
    assert diagnose(log).heavy == 1 / 4
