"""Two policies that both ran in one world, each judged from the other's log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.datasets.bandit_log import BanditLog
from eval.off_policy.open_bandit import average_policy, decisions, estimate_open_bandit
from recommender.errors import InvalidInput

ITEMS = 5
CLICKS = np.array([0.02, 0.05, 0.1, 0.2, 0.4])
"""How often each item is clicked, at every position."""
KEEN = np.array([0.05, 0.05, 0.1, 0.3, 0.5])
"""The other policy's probability of each item."""


def bandit_log(policy: np.ndarray, rows: int, rng: np.random.Generator) -> BanditLog:
    item = rng.choice(ITEMS, rows, p=policy)
    return BanditLog(
        at=np.arange(rows, dtype=np.int64),
        item=item,
        position=rng.integers(0, 3, rows),
        click=rng.random(rows) < CLICKS[item],
        propensity=policy[item],
        context=rng.integers(0, 2, (rows, 2)),
        context_names=("user_feature_0", "user_feature_1"),
        n_items=ITEMS,
    )


def two_logs(rows: int = 20_000) -> tuple[BanditLog, BanditLog]:
    rng = np.random.default_rng(0)
    return bandit_log(np.full(ITEMS, 1 / ITEMS), rows, rng), bandit_log(KEEN, rows, rng)


def test_each_policy_is_estimated_from_the_other_ones_log() -> None:
    forth, back = estimate_open_bandit(*two_logs())
    for direction, truth, elsewhere in ((forth, KEEN @ CLICKS, CLICKS.mean()), (back, CLICKS.mean(), KEEN @ CLICKS)):
        for name in ("ips", "snips", "dr"):
            assert direction.estimates[name].low < truth < direction.estimates[name].high, (direction.judged, name)
        naive = direction.estimates["naive"]
        assert naive.low < elsewhere < naive.high
        assert not naive.low < truth < naive.high
        assert direction.on_policy.low < truth < direction.on_policy.high
    assert (forth.logged, forth.judged, back.logged, back.judged) == ("random", "bts", "bts", "random")
    assert back.diagnostics.largest == pytest.approx(1 / ITEMS / 0.05)


def test_the_average_policy_is_smoothed_frequencies() -> None:
    log = two_logs(4)[0]
    log = replace(log, item=np.array([0, 0, 1, 4]), position=np.array([0, 0, 0, 1]))
    anywhere = np.array([2 + 1, 1 + 1, 0 + 1, 0 + 1, 1 + 1]) / (4 + 5)
    found = average_policy(log, 3)
    assert found[0] == pytest.approx((np.array([2, 1, 0, 0, 0]) + 5 * anywhere) / (3 + 5))
    assert found[1] == pytest.approx((np.array([0, 0, 0, 0, 1]) + 5 * anywhere) / (1 + 5))
    assert found[2] == pytest.approx(anywhere)


def test_the_average_policy_comes_near_the_policy_and_the_mean_logged_propensity_does_not() -> None:
    # A policy that changes half-way, as one that learns: on average both items are as likely.
    rng = np.random.default_rng(0)
    early, late = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    item = np.concatenate([rng.choice(2, 5_000, p=early), rng.choice(2, 5_000, p=late)])
    propensity = np.concatenate([early[item[:5_000]], late[item[5_000:]]])
    log = replace(two_logs(10_000)[0], item=item, propensity=propensity, n_items=2)
    assert average_policy(log, 3) == pytest.approx(np.full((3, 2), 0.5), abs=0.02)
    assert propensity[item == 0].mean() == pytest.approx((0.9 * 0.9 + 0.1 * 0.1) / (0.9 + 0.1), abs=0.02)


def test_decisions_carry_the_logged_propensity_and_the_targets_probability_at_the_position() -> None:
    log = two_logs(1_000)[1]
    target = np.array([[0.2, 0.2, 0.2, 0.2, 0.2], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1.0]])
    found = decisions(log, target, np.random.default_rng(0))
    assert found.propensity.tolist() == log.propensity.tolist()
    assert found.target_probability[log.position == 0].tolist() == [0.2] * int((log.position == 0).sum())
    assert found.target_probability[log.position == 1].tolist() == (log.item[log.position == 1] == 0).astype(float).tolist()
    assert found.q_target is not None


def test_logs_of_different_items_are_refused() -> None:
    random, other = two_logs(100)
    with pytest.raises(InvalidInput, match="n_items"):
        estimate_open_bandit(random, replace(other, n_items=ITEMS + 1))
