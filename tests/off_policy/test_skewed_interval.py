"""The interval is exact where it can be known, and widens to the side where the terms are skewed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import gamma

from eval.off_policy import LoggedDecisions, ips, naive, ratio_interval, snips


def test_symmetric_terms_have_the_normal_interval() -> None:
    terms = np.tile([1.0, 3.0], 50)
    interval = ratio_interval(terms, np.ones(100))
    half = 1.959964 * math.sqrt(1 / 99 * (1 + 1 / 100))
    assert interval.mean == 2
    assert interval.low == pytest.approx(2 - half, rel=1e-6)
    assert interval.high == pytest.approx(2 + half, rel=1e-6)


def test_rare_clicks_have_the_exact_interval_of_a_count_but_for_the_noise_in_its_variance() -> None:
    clicks, rows = 40, 10**7
    terms = np.zeros(rows)
    terms[:clicks] = 1
    interval = ratio_interval(terms, np.ones(rows))
    # The exact 95 % interval of a Poisson mean after 40 events (Garwood 1936), about 40, and the widening.
    low, high = gamma.ppf(0.025, clicks), gamma.ppf(0.975, clicks + 1)
    wider = math.sqrt(1 + 1 / clicks)
    assert interval.low * rows == pytest.approx(clicks - wider * (clicks - low), rel=1e-4)
    assert interval.high * rows == pytest.approx(clicks + wider * (high - clicks), rel=1e-4)


def test_turning_the_terms_round_turns_the_interval_round() -> None:
    terms = np.random.default_rng(0).exponential(size=50)
    one, other = ratio_interval(terms, np.ones(50)), ratio_interval(-terms, np.ones(50))
    assert (other.low, other.mean, other.high) == pytest.approx((-one.high, -one.mean, -one.low))
    assert one.high - one.mean > one.mean - one.low


def test_nearly_symmetric_terms_have_nearly_the_normal_interval() -> None:
    terms = np.tile([1.0, 3.0], 5_000)
    straight = ratio_interval(terms, np.ones(10_000))
    terms[0] += 0.5
    bent = ratio_interval(terms, np.ones(10_000))
    assert bent.low == pytest.approx(straight.low, abs=1e-4)
    assert bent.high == pytest.approx(straight.high, abs=1e-4)


def test_rows_of_one_person_count_once() -> None:
    rng = np.random.default_rng(0)
    terms = rng.random(200)
    once = ratio_interval(terms, np.ones(200))
    repeated = ratio_interval(np.repeat(terms, 5), np.ones(1_000), np.repeat([f"person {n}" for n in range(200)], 5))
    assert vars(repeated) == pytest.approx(vars(once))
    forgotten = ratio_interval(np.repeat(terms, 5), np.ones(1_000))
    assert forgotten.high - forgotten.low < (once.high - once.low) / 2


def test_clusters_of_a_log_reach_its_intervals() -> None:
    rng = np.random.default_rng(0)
    reward, propensity = np.repeat(rng.random(50), 4), np.full(200, 0.5)
    alone = LoggedDecisions(reward, propensity, propensity)
    together = LoggedDecisions(reward, propensity, propensity, cluster=np.repeat(np.arange(50), 4))
    assert ips(together).mean == pytest.approx(ips(alone).mean)
    assert ips(together).high > ips(alone).high


@pytest.mark.parametrize("terms", [[0.0, 0.0, 0.0], [0.3, 0.3, 0.3], [1.0]])
def test_without_anything_that_varies_there_is_no_interval(terms: list[float]) -> None:
    interval = ratio_interval(np.array(terms), np.ones(len(terms)))
    assert interval.mean == pytest.approx(terms[0])
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_one_person_alone_has_no_interval() -> None:
    assert math.isnan(ratio_interval(np.array([1.0, 2.0]), np.ones(2), np.array([7, 7])).low)


def test_a_constant_reward_is_known_to_snips_and_not_to_ips() -> None:
    log = LoggedDecisions(np.full(3, 2.0), np.array([0.2, 0.5, 0.5]), np.array([0.4, 0.1, 0.5]))
    assert snips(log).mean == pytest.approx(2)
    assert math.isnan(snips(log).low)
    assert ips(log).mean == pytest.approx(2 * (2 + 0.2 + 1) / 3)
    assert ips(log).high > ips(log).mean


def test_an_interval_of_rewards_that_are_never_negative_does_not_go_below_zero() -> None:
    reward = np.zeros(100)
    reward[0] = 1
    half = np.full(100, 0.5)
    single = naive(LoggedDecisions(reward, half, half))
    assert single.low == 0
    assert single.high > 0.05
    assert naive(LoggedDecisions(reward - 0.001, half, half)).low < 0
