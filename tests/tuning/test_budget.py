"""Time is counted by the clock that was given, and steps ask before they start."""

from __future__ import annotations

import math

import pytest

from eval.tuning.budget import Budget, OutOfTime
from recommender.errors import InvalidInput


def test_a_budget_lasts_for_its_minutes() -> None:
    moments = iter([100.0, 159.9, 160.0])
    budget = Budget.of(1, lambda: next(moments))
    budget.check()
    with pytest.raises(OutOfTime):
        budget.check()


def test_what_is_kept_is_taken_from_the_end_and_shares_are_equal() -> None:
    budget = Budget.of(2, lambda: 0.0)
    assert budget.left == 120
    assert budget.keeping(30).left == 120 - 30
    assert budget.keeping(30).share(3).left == (120 - 30) / 3


@pytest.mark.parametrize("minutes", [0, -1, math.nan, math.inf])
def test_minutes_that_are_none_are_refused(minutes: float) -> None:
    with pytest.raises(InvalidInput, match="minutes"):
        Budget.of(minutes, lambda: 0.0)
