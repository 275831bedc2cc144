"""Intervals hold the truth about as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

import recommender.judging.intervals as intervals_module
from recommender.judging import bootstrap_mean, bootstrap_means, paired_difference
from recommender.judging.intervals import standard_error


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


def test_many_columns_at_once_give_what_each_alone_gives() -> None:
    columns = {"first": rng(10).random(50), "second": rng(11).random(50), "third": rng(12).random(50)}
    together = bootstrap_means(columns, rng(1))
    for name, values in columns.items():
        alone = bootstrap_mean(values, rng(1))
        assert (together[name].mean, together[name].low, together[name].high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_a_column_without_a_value_for_somebody_is_the_mean_of_the_others() -> None:
    values = np.array([np.nan, 0.5, 1.0, np.nan, 0.75])
    found = bootstrap_means({"holes": values, "whole": np.arange(5.0), "nothing": np.full(5, np.nan)}, rng(1))
    assert list(found) == ["holes", "whole"]
    assert found["holes"].mean == (0.5 + 1.0 + 0.75) / 3
    assert found["holes"].low <= found["holes"].mean <= found["holes"].high
    with pytest.raises(ValueError, match="finite"):
        bootstrap_means({"infinite": np.array([np.inf, 1.0])}, rng())


def test_the_same_answer_ten_times_is_no_more_evidence_than_once() -> None:
    once, owner = rng(13).random(40), np.arange(40)
    repeated = bootstrap_mean(np.repeat(once, 10), rng(1), people=np.repeat(owner, 10))
    alone = bootstrap_mean(once, rng(1))
    assert (repeated.mean, repeated.low, repeated.high) == pytest.approx((alone.mean, alone.low, alone.high))
    taken_for_others = bootstrap_mean(np.repeat(once, 10), rng(1))
    assert taken_for_others.high - taken_for_others.low < (alone.high - alone.low) / 2


def test_who_has_more_values_weighs_more_in_the_mean() -> None:
    interval = bootstrap_mean(np.array([0.0, 0.0, 0.0, 1.0]), rng(), people=np.array([5, 5, 5, 2]))
    assert (interval.mean, interval.low, interval.high) == (0.25, 0, 1)


def test_missing_values_go_with_their_people() -> None:
    values, people = np.array([0.5, np.nan, 0.25, 1.0]), np.array([3, 3, 9, 9])
    assert bootstrap_means({"x": values}, rng(2), people=people)["x"] == bootstrap_mean(
        np.array([0.5, 0.25, 1.0]), rng(2), people=np.array([3, 9, 9])
    )


def test_the_standard_error_is_of_whole_people() -> None:
    draws = rng(7)
    values = draws.normal(size=400)
    assert standard_error(values) == pytest.approx(values.std() / 20)
    people = np.repeat(np.arange(40), 10)
    alike = draws.normal(size=40)[people] + 0.1 * values
    interval = bootstrap_mean(alike, draws, people=people)
    assert standard_error(alike, people=people) == pytest.approx((interval.high - interval.low) / 3.92, rel=0.1)
    assert standard_error(alike, people=people) > 2.5 * standard_error(alike)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_no_values_have_no_standard_error(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one finite value"):
        standard_error(np.array(values))
