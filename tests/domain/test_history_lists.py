"""Lists of one's own history, from events written down by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.events import CONSUMING, EventType
from recommender.history_lists import Entries, HistoryList, due, entries_of
from recommender.people import HISTORY_DTYPE, History, empty_history
from recommender.times import DAY_US

NAN = float("nan")
HOUR = DAY_US // 24
NOW = 20_000 * DAY_US
RECENT, CONTINUE, AGAIN = HistoryList

VIEW, CLICK, READ, WATCH = EventType.VIEW, EventType.CLICK, EventType.READ, EventType.WATCH
LIKE, HIDE, SAVE, BUY = EventType.LIKE, EventType.HIDE, EventType.SAVE, EventType.PURCHASE


def history(*events: tuple[int, EventType, float, float]) -> History:
    """Events of item, type, value and days ago, sorted as the store keeps them."""
    rows = [(item, type, value, NOW - round(ago * DAY_US)) for item, type, value, ago in events]
    return np.array(sorted(rows, key=lambda row: row[3]), dtype=HISTORY_DTYPE)


def items(entries: Entries) -> list[int]:
    return entries.numbers.tolist()


def listed(wanted: HistoryList, *events: tuple[int, EventType, float, float]) -> list[int]:
    return items(entries_of(history(*events), wanted, NOW))


@pytest.mark.parametrize("wanted", HistoryList)
def test_an_empty_history_makes_empty_lists(wanted: HistoryList) -> None:
    entries = entries_of(empty_history(), wanted, NOW)
    assert [len(column) for column in entries] == [0] * 6


def test_what_was_had_lately_stands_once_at_its_newest_event() -> None:
    entries = entries_of(
        history((1, WATCH, 1.0, 9), (2, CLICK, NAN, 5), (1, LIKE, NAN, 2), (3, SAVE, NAN, 1), (4, HIDE, NAN, 1)), RECENT, NOW
    )
    assert items(entries) == [1, 2]
    assert entries.types.tolist() == [LIKE, CLICK]
    assert entries.at.tolist() == [NOW - 2 * DAY_US, NOW - 5 * DAY_US]
    assert entries.times.tolist() == [1, 1]


def test_of_one_time_what_came_last_stands_first() -> None:
    assert listed(RECENT, (5, CLICK, NAN, 1), (9, CLICK, NAN, 1), (7, CLICK, NAN, 1)) == [7, 9, 5]


def test_only_reads_and_watches_have_a_portion() -> None:
    entries = entries_of(history((1, BUY, 0.5, 3), (2, READ, 0.5, 2), (3, WATCH, NAN, 1)), RECENT, NOW)
    np.testing.assert_array_equal(entries.portions, np.array([NAN, 0.5, NAN], dtype=np.float32))


@pytest.mark.parametrize(
    ("portion", "goes_on"), [(0.0, False), (0.05, False), (0.06, True), (0.5, True), (0.94, True), (0.95, False), (1.0, False)]
)
@pytest.mark.parametrize("type", [READ, WATCH])
def test_one_goes_on_with_what_is_begun_and_not_finished(type: EventType, portion: float, goes_on: bool) -> None:
    assert listed(CONTINUE, (1, type, portion, 1)) == [1] * goes_on


def test_what_was_finished_since_drops_out_and_what_was_begun_anew_comes_back() -> None:
    assert listed(CONTINUE, (1, WATCH, 0.4, 3), (1, WATCH, 1.0, 2)) == []
    assert listed(CONTINUE, (1, WATCH, 1.0, 3), (1, WATCH, 0.4, 2)) == [1]
    # Where nothing is said of how far one came, what was known before holds, and amounts are no portions.
    assert listed(CONTINUE, (1, WATCH, 0.4, 3), (1, WATCH, NAN, 2), (1, CLICK, NAN, 1), (2, BUY, 0.4, 1)) == [1]


def test_one_goes_on_with_the_newest_first() -> None:
    entries = entries_of(history((1, WATCH, 0.2, 3), (2, READ, 0.3, 1), (3, WATCH, 0.4, 2)), CONTINUE, NOW)
    assert items(entries) == [2, 3, 1]
    assert entries.portions.tolist() == pytest.approx([0.3, 0.4, 0.2])


def test_again_is_what_was_had_on_several_occasions_or_bought() -> None:
    assert listed(AGAIN, (1, WATCH, 1.0, 9), (1, WATCH, 1.0, 5), (2, WATCH, 1.0, 5), (3, BUY, 9.5, 5)) == [1, 3]
    assert listed(AGAIN, (1, CLICK, NAN, 9), (1, VIEW, NAN, 5), (2, CLICK, NAN, 5)) == [1]
    assert listed(AGAIN, (1, LIKE, NAN, 9), (1, LIKE, NAN, 5), (2, SAVE, NAN, 9), (2, SAVE, NAN, 5)) == []


def test_one_evening_is_one_occasion() -> None:
    assert listed(AGAIN, (1, CLICK, NAN, 5.2), (1, CLICK, NAN, 5.1), (1, CLICK, NAN, 5)) == []
    assert listed(AGAIN, (1, WATCH, NAN, 5.1), (1, WATCH, NAN, 5)) == []
    # Opening a film on one day and watching it on another one is once.
    assert listed(AGAIN, (1, CLICK, NAN, 8), (1, WATCH, 1.0, 5)) == []


def test_a_film_seen_in_parts_was_seen_once_and_one_in_the_middle_is_not_due() -> None:
    assert listed(AGAIN, (1, WATCH, 0.3, 7), (1, WATCH, 0.6, 6), (1, WATCH, 1.0, 5)) == []
    assert listed(AGAIN, (1, WATCH, 1.0, 70), (1, WATCH, 1.0, 35), (1, WATCH, 0.5, 1)) == []


def test_what_comes_up_now_is_due_before_what_was_just_had_and_what_was_given_up() -> None:
    weekly = [(1, BUY, 1.0, 7.0 * weeks) for weeks in (1, 2, 3)]
    just_had = [(2, BUY, 1.0, 7.0 * weeks + 0.01) for weeks in (0, 1, 2)]
    given_up = [(3, BUY, 1.0, 7.0 * weeks) for weeks in (20, 21, 22)]
    assert listed(AGAIN, *weekly, *just_had, *given_up) == [1, 2, 3]
    entries = entries_of(history(*weekly, *just_had, *given_up), AGAIN, NOW)
    assert entries.times.tolist() == [3, 3, 3]
    assert entries.scores.tolist() == sorted(entries.scores.tolist(), reverse=True)


def test_of_two_with_the_same_interval_the_one_had_more_often_is_due_more() -> None:
    often, seldom = [NOW - day * DAY_US for day in (40, 30, 20, 10)], [NOW - day * DAY_US for day in (20, 10)]
    rates = due({1: often, 2: seldom}, NOW)
    assert rates[1] > rates[2]
    # By hand: five occasions as if, all 10 days after the last one where 10 are usual.
    assert rates[1] == pytest.approx(5 / 10)
    assert rates[2] == pytest.approx(3 / 10)


def test_what_was_bought_once_is_due_after_the_usual_time_of_the_person() -> None:
    weekly = [NOW - day * DAY_US for day in (21, 14, 7)]
    rates = {ago: due({1: weekly, 2: [NOW - ago * DAY_US]}, NOW)[2] for ago in (0, 3, 7, 12, 40)}
    assert max(rates, key=rates.__getitem__) == 7
    assert rates[0] < rates[3] < rates[7] > rates[12] > rates[40]
    # Nothing is known of the person: 30 days.
    alone = {ago: due({2: [NOW - ago * DAY_US]}, NOW)[2] for ago in (5, 30, 90)}
    assert max(alone, key=alone.__getitem__) == 30


@pytest.mark.parametrize("mean", [1, 7, 30])
def test_how_much_something_is_due_changes_without_a_leap(mean: int) -> None:
    times = [NOW - 2 * mean * DAY_US, NOW - mean * DAY_US, NOW]
    rates = [due({1: times}, NOW + round(step * mean * DAY_US / 50))[1] for step in range(200)]
    assert np.argmax(rates) == 50
    assert np.abs(np.diff(rates)).max() < 0.05 * max(rates)
    assert np.all(np.diff(rates[100:]) < 0)


def test_an_event_ahead_of_the_clock_is_of_now() -> None:
    assert due({1: [NOW - DAY_US, NOW + HOUR]}, NOW)[1] == due({1: [NOW - DAY_US, NOW + HOUR]}, NOW + HOUR)[1]
    assert listed(RECENT, (1, CLICK, NAN, -0.003)) == [1]


events = st.tuples(
    st.integers(1, 6),
    st.sampled_from(EventType),
    st.just(NAN) | st.sampled_from([0.0, 0.05, 0.4, 0.95, 1.0]),
    st.integers(0, 4_000).map(lambda n: n / 40),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(events, max_size=60))
def test_lists_hold_what_they_say_whatever_happened(given_events: list[tuple[int, EventType, float, float]]) -> None:
    past = history(*given_events)
    made = {wanted: entries_of(past, wanted, NOW) for wanted in HistoryList}
    consumed = {int(row["item"]) for row in past if EventType(row["type"]) in CONSUMING}
    for entries in made.values():
        assert len(set(items(entries))) == len(items(entries))
        assert set(items(entries)) <= consumed
        assert np.isfinite(entries.scores).all()
    assert set(items(made[RECENT])) == consumed
    assert not set(items(made[CONTINUE])) & set(items(made[AGAIN]))
    for wanted in (RECENT, CONTINUE):
        assert made[wanted].at.tolist() == sorted(made[wanted].at.tolist(), reverse=True)
    assert made[AGAIN].scores.tolist() == sorted(made[AGAIN].scores.tolist(), reverse=True)
    bought = {int(row["item"]) for row in past if row["type"] == BUY}
    again = set(items(made[AGAIN]))
    assert bought - set(items(made[CONTINUE])) <= again
    assert all(times > 1 or item in bought for item, times in zip(items(made[AGAIN]), made[AGAIN].times.tolist(), strict=True))
