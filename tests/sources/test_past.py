"""A history as arrays: what is kept of them, and what each event weighs."""

from __future__ import annotations

import numpy as np
from handmade import HOME, catalogue_of, history_of, number_of, some_items
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender.event_table import event_weights
from recommender.events import EventType
from recommender.feeds import Query
from recommender.people import HISTORY_DTYPE, History
from recommender.profile import BuildSettings, EventWeights
from recommender.sources import Past

CATALOGUE = catalogue_of(some_items(6))
TABLE = EventWeights().table()


def past_of(history: History, build: BuildSettings | None = None, seeds: bool = False) -> Past:
    return Past.of(Query(HOME, 1, history=history, seeds_are_items=seeds), CATALOGUE, build or BuildSettings())


def test_unknown_items_leave_no_trace() -> None:
    known = history_of(0, 3)
    mixed = np.concatenate([history_of(100), known[:1], history_of(7_000_000), known[1:]])
    past = past_of(mixed)
    assert past.rows.tolist() == [0, 3]
    assert past.age.tolist() == [1, 0]
    assert past.numbers.tolist() == [number_of(0), number_of(3)]


def test_an_item_stands_once_at_its_newest_event_with_its_strongest_weight() -> None:
    past = past_of(np.concatenate([history_of(2, type=EventType.LIKE), history_of(1), history_of(2, type=EventType.VIEW)]))
    assert past.rows.tolist() == [1, 2]
    assert past.weights.tolist() == [TABLE[EventType.LIKE], TABLE[EventType.LIKE]]
    assert past.types.tolist() == [EventType.LIKE, EventType.VIEW]


def test_who_dislikes_in_the_end_dislikes() -> None:
    past = past_of(np.concatenate([history_of(2, type=EventType.PURCHASE), history_of(2, type=EventType.DISLIKE)]))
    assert past.weights.tolist() == [TABLE[EventType.DISLIKE]]


def test_who_likes_in_the_end_likes() -> None:
    past = past_of(np.concatenate([history_of(2, type=EventType.DISLIKE), history_of(2, type=EventType.LIKE)]))
    assert past.weights.tolist() == [TABLE[EventType.LIKE]]


def test_only_the_newest_events_up_to_the_cap_count() -> None:
    past = past_of(history_of(0, 1, 2, 3), build=BuildSettings(history_cap=2))
    assert past.rows.tolist() == [2, 3]


def test_events_of_one_time_share_a_step() -> None:
    history = history_of(0, 1, 2, 3, 4)
    history["at"] = [5, 7, 7, 7, 9]
    assert past_of(history).age.tolist() == [2, 1, 1, 1, 0]
    history["at"] = 5
    assert past_of(history).age.tolist() == [0, 0, 0, 0, 0]
    assert past_of(history).decayed(0.5).tolist() == past_of(history).weights.tolist()


def test_events_without_weight_are_left_out() -> None:
    past = past_of(np.concatenate([history_of(0, type=EventType.CUSTOM), history_of(1, type=EventType.WATCH, value=0.0)]))
    assert len(past.rows) == 0


def test_a_half_watched_film_weighs_half_and_one_of_unknown_portion_all() -> None:
    past = past_of(np.concatenate([history_of(0, type=EventType.WATCH, value=0.5), history_of(1, type=EventType.WATCH)]))
    assert past.weights.tolist() == [0.5, 1.0]


def test_given_items_weigh_the_same_whatever_likes_weigh() -> None:
    build = BuildSettings(event_weights=EventWeights(like=0.1, dislike=-3))
    past = past_of(np.concatenate([history_of(0), history_of(1, type=EventType.DISLIKE)]), build=build, seeds=True)
    assert past.weights.tolist() == [1.0, -1.0]


def test_weights_fade_with_every_step_back() -> None:
    past = past_of(history_of(0, 1, 2))
    np.testing.assert_allclose(past.decayed(0.5), TABLE[EventType.LIKE] * np.array([0.25, 0.5, 1.0]))
    np.testing.assert_array_equal(past.decayed(1.0), past.weights)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 8).map(number_of),
        st.sampled_from(list(EventType)),
        st.sampled_from([float("nan"), 0.0, 0.25, 1.0]),
    ),
    max_size=12,
)


CLICKED_DISLIKED_VIEWED = [(number_of(0), kind, float("nan")) for kind in (EventType.CLICK, EventType.DISLIKE, EventType.VIEW)]


@settings(max_examples=100, deadline=None)
@given(EVENTS)
@example(CLICKED_DISLIKED_VIEWED)
def test_arrays_are_what_a_slow_loop_over_the_history_gives(events) -> None:
    history = np.array([(*event, at) for at, event in enumerate(events)], dtype=HISTORY_DTYPE)
    past = past_of(history, build=BuildSettings(history_cap=8))
    expected: dict[int, tuple[float, int]] = {}
    strongest: dict[int, float] = {}
    for event in history[-8:]:
        row = int(CATALOGUE.rows_of(event["item"]))
        weight = float(event_weights(event["type"][None], event["value"][None], TABLE)[0])
        if row < 0 or weight == 0:
            continue
        expected.pop(row, None)
        strongest[row] = max(weight, strongest.get(row, weight))
        expected[row] = (weight if weight < 0 else strongest[row], int(event["type"]))
    found = zip(past.rows.tolist(), past.weights.tolist(), past.types.tolist(), strict=True)
    assert list(found) == [(row, *kept) for row, kept in expected.items()]
    assert past.age.tolist() == list(range(len(expected)))[::-1]
