"""What calls cost when nobody disturbs, by made-up samples of a server whose processor is slow by turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.bench.steadiness import Speeds
from server.bench.undisturbed import SAMPLE_S, Cost, Spent, cost_columns, cost_of, costs_of

QUICK_MS, SLOW_MS = 2.0, 3.5
"""What a call costs by turns, a second each."""


def slow_at(moments: np.ndarray, disturbed: bool) -> np.ndarray:
    """Whether the processor is slow."""
    return (moments.astype(int) % 2 == 1) & disturbed


def measured(*, disturbed: bool, seconds: float = 10.0, idle: float = 0.0) -> tuple[Spent, Speeds]:
    """A server that answers one call after the other, and what is used meanwhile by nobody."""
    ended, now = list[float](), 0.0
    while now < seconds:
        now += (SLOW_MS if slow_at(np.array([now]), disturbed)[0] else QUICK_MS) / 1e3
        ended.append(now)
    at = np.arange(-0.02, seconds + 0.1, SAMPLE_S)
    spent = Spent(at, np.clip(at, 0, now) + idle * at, np.array(ended), idle, ms=1e3 * now / len(ended))
    probed = np.arange(-0.05, seconds + 0.2, 0.02)
    return spent, Speeds(probed, np.where(slow_at(probed, disturbed), 50e-6, 30e-6))


def test_calls_cost_what_they_do_in_undisturbed_moments() -> None:
    spent, speeds = measured(disturbed=True)
    cost = cost_of(spent, speeds)
    assert cost.undisturbed == pytest.approx(QUICK_MS, rel=0.01)
    assert cost.in_all == pytest.approx(2 / (1 / QUICK_MS + 1 / SLOW_MS), rel=0.01)
    assert 0.4 < cost.undisturbed_s / cost.seconds < 0.5


def test_without_disturbance_both_are_the_same() -> None:
    spent, speeds = measured(disturbed=False)
    for found in (speeds, replace(speeds, took=2 * speeds.took)):
        cost = cost_of(spent, found)
        assert cost.undisturbed == pytest.approx(cost.in_all, rel=0.01)
        assert cost.undisturbed_s == cost.seconds == pytest.approx(10, abs=0.3)


def test_what_the_server_uses_without_calls_is_no_call_s() -> None:
    spent, speeds = measured(disturbed=True, idle=0.1)
    assert cost_of(spent, speeds).undisturbed == pytest.approx(QUICK_MS, rel=0.01)


def test_with_too_few_calls_or_too_little_time_nothing_is_told() -> None:
    spent, speeds = measured(disturbed=True)
    few = replace(spent, ended=spent.ended[::300])
    assert cost_of(few, speeds).undisturbed is None
    for_a_moment = (speeds.at > 4) & (speeds.at < 4.4)
    cost = cost_of(spent, Speeds(speeds.at[for_a_moment], speeds.took[for_a_moment]))
    assert 0 < cost.undisturbed_s < 0.05 * cost.seconds
    assert cost.undisturbed is None


def test_a_measurement_without_calls_or_of_a_moment_tells_nothing() -> None:
    spent, speeds = measured(disturbed=False, seconds=0.1)
    assert cost_of(spent, speeds).undisturbed is None
    nothing = cost_of(replace(spent, ended=np.zeros(0)), speeds)
    assert (nothing.undisturbed, nothing.seconds) == (None, 0)


def test_columns_are_medians_of_the_runs_that_tell_and_of_all_where_none_does() -> None:
    method = [Cost(3.0, 2.0, 5, 2), Cost(4.0, None, 5, 0.1), Cost(5.0, 2.2, 5, 3)]
    canned = [Cost(0.6, 0.5, 5, 2), Cost(0.7, 0.4, 5, 2), Cost(0.5, None, 5, 0)]
    columns = cost_columns(method, canned)
    assert columns["server ms"] == pytest.approx(2.1)
    assert columns["server ms in all"] == 4
    assert columns["times the canned reply"] == pytest.approx(2.0 / 0.5), "of the one run in which both are known"
    assert columns["undisturbed"] == pytest.approx(5 / 15)

    columns = cost_columns([replace(cost, undisturbed=None) for cost in method], canned)
    assert columns["server ms"] == columns["server ms in all"] == 4
    assert columns["times the canned reply"] == pytest.approx(4.0 / 0.7)
    assert columns["undisturbed"] == 0


def test_methods_are_told_with_the_share_of_all_their_time() -> None:
    spent, speeds = measured(disturbed=True)
    columns, words = costs_of([{"Canned": spent, "GetFeed": spent}], speeds)
    assert columns["GetFeed"] == columns["Canned"]
    assert columns["Canned"]["times the canned reply"] == 1
    assert words.startswith(f"{columns['Canned']['undisturbed']:.0%} of the time")
