"""In a world whose truth is known, estimates meet it and intervals hold it as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval.off_policy.replications import performance, replications, share_interval
from eval.off_policy.simulation import make_world
from recommender.errors import InvalidInput
from recommender.judging import Interval


def test_a_world_has_policies_that_sum_to_one_and_the_click_rate_asked_for() -> None:
    world = make_world(0.004, np.random.default_rng(0))
    assert world.probability.sum() == pytest.approx(1)
    assert world.logging.sum(axis=1) == pytest.approx(np.ones(72))
    assert world.target.sum(axis=1) == pytest.approx(np.ones(72))
    assert world.logged_rate == pytest.approx(0.004)
    by_hand = sum(
        world.probability[x] * world.target[x, a] * world.reward[x, a]
        for x in range(len(world.codes))
        for a in range(world.target.shape[1])
    )
    assert world.truth == pytest.approx(by_hand)
    assert world.truth > 1.5 * world.logged_rate


def test_a_log_follows_the_logging_policy() -> None:
    world = make_world(0.3, np.random.default_rng(0))
    log = world.log(200_000, np.random.default_rng(1))
    assert log.reward.mean() == pytest.approx(0.3, abs=0.005)
    assert log.weights.mean() == pytest.approx(1, abs=0.02)
    assert np.isin(log.propensity, world.logging).all()
    assert np.isin(log.target_probability, world.target).all()


def test_one_seed_gives_one_world_and_one_table() -> None:
    tables = [replications(make_world(0.1, np.random.default_rng(3)), n=3, rows=200, seed=3) for _ in range(2)]
    assert tables[0] == tables[1]
    assert replications(make_world(0.1, np.random.default_rng(3)), n=3, rows=200, seed=4) != tables[0]


@pytest.mark.parametrize("click_rate", [0.01, 0.2])
def test_intervals_hold_the_truth_in_nineteen_of_twenty_logs_and_the_naive_one_never(click_rate: float) -> None:
    found = replications(make_world(click_rate, np.random.default_rng(0)), n=200, rows=4_000)
    assert found["naive"].coverage.mean == 0
    assert found["naive"].bias < -0.4
    for name in ("ips", "snips", "dr"):
        assert found[name].coverage.low < 0.95 < found[name].coverage.high, name
        assert abs(found[name].bias) < 3 * found[name].rmse / math.sqrt(200), name
    assert found["dr"].width < found["ips"].width
    assert found["clipped"].width < found["ips"].width
    assert found["clipped"].bias < 0


def test_progress_counts_the_logs() -> None:
    told: list[tuple[int, int]] = []
    replications(make_world(0.1, np.random.default_rng(0)), n=3, rows=50, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_performance_is_told_as_shares_of_the_truth() -> None:
    missing = float("nan")
    found = performance([Interval(3, 2, 4), Interval(1, 0.5, 1.5), Interval(2, missing, missing)], truth=2)
    assert found.bias == pytest.approx((3 + 1 + 2) / 3 / 2 - 1)
    assert found.rmse == pytest.approx(math.sqrt((1 + 1 + 0) / 3) / 2)
    assert found.width == pytest.approx((2 + 1) / 2 / 2)
    assert found.coverage.mean == 1 / 3


def test_the_interval_of_a_share_is_the_exact_binomial_one() -> None:
    # With no hit in n trials the upper end solves (1 − p)ⁿ = 0.025.
    assert share_interval(0, 20) == Interval(0, 0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert share_interval(20, 20) == Interval(1, pytest.approx(0.025 ** (1 / 20)), 1)


@pytest.mark.parametrize("rate", [0.0, 1.0, float("nan")])
def test_a_world_without_chance_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="click_rate"):
        make_world(rate, np.random.default_rng(0))


@pytest.mark.parametrize(("given", "field"), [({"n": 0}, "replications"), ({"rows": 4}, "rows")])
def test_no_logs_and_too_short_logs_are_refused(given: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        replications(make_world(0.1, np.random.default_rng(0)), **given)
