"""Intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

import recommender.judging.intervals as intervals_module
from recommender.judging import bootstrap_mean, paired_difference


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_interval_holds_the_true_mean_about_19_times_in_20(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals_module, "RESAMPLES", 200)
    draws = rng(1)
    held = [interval.low <= 0.2 <= interval.high for interval in (bootstrap_mean(draws.beta(0.5, 2.0, 150), draws) for _ in range(400))]
    assert 0.9 <= np.mean(held) <= 0.99


def test_more_people_make_a_narrower_interval() -> None:
    few, many = (bootstrap_mean(rng(2).normal(size=n), rng(3)) for n in (50, 5_000))
    assert few.high - few.low > 5 * (many.high - many.low)


def test_the_mean_is_the_plain_mean_and_lies_within() -> None:
    values = np.array([0.0, 0.25, 1.0, 0.75])
    interval = bootstrap_mean(values, rng())
    assert interval.mean == (0.0 + 0.25 + 1.0 + 0.75) / 4
    assert interval.low <= interval.mean <= interval.high


def test_what_is_the_same_for_everybody_is_certain() -> None:
    interval = bootstrap_mean(np.full(30, 0.4), rng())
    assert interval.low == pytest.approx(0.4)
    assert interval.high == pytest.approx(0.4)


def test_one_seed_gives_one_interval() -> None:
    values = rng(5).random(40)
    assert bootstrap_mean(values, rng(1)) == bootstrap_mean(values, rng(1)) != bootstrap_mean(values, rng(2))


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [np.inf], [-np.inf, 1.0]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap_mean(np.array(values), rng())


def test_differences_are_taken_person_by_person() -> None:
    people = rng(7).normal(scale=10, size=300)
    interval = paired_difference(people + 0.1, people, rng())
    assert interval.mean == pytest.approx(0.1)
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)
    apart = bootstrap_mean(people + 0.1, rng())
    assert apart.high - apart.low > 1


def test_swapped_sides_mirror_the_difference() -> None:
    ours, theirs = rng(8).random(60), rng(9).random(60)
    there, back = paired_difference(ours, theirs, rng(1)), paired_difference(theirs, ours, rng(1))
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))


def test_different_people_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="not the same people"):
        paired_difference(np.ones(3), np.ones(4), rng())
