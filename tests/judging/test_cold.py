"""Cold items and cold people are in nothing that is learnt from."""

from __future__ import annotations

import numpy as np
import pytest
from event_rows import known, rows_of, table, targets

from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.judging.cold import cold_items, cold_people, draw_cold_items

WATCH, DISLIKE, SEEN = EventType.WATCH, EventType.DISLIKE, EventType.IMPRESSION
EVENTS = table(
    (1, 10, WATCH, 1), (1, 20, WATCH, 2), (1, 11, WATCH, 3), (2, 20, SEEN, 1), (2, 20, DISLIKE, 2), (2, 10, WATCH, 3), (3, 21, WATCH, 4)
)
COLD = np.array([21, 20], dtype=np.uint32)


def test_cold_items_leave_training_and_are_what_is_to_be_found() -> None:
    split = cold_items(EVENTS, COLD)
    assert rows_of(split.training) == [(1, 10), (1, 11), (2, 10)]
    assert (known(split.held_out), targets(split.held_out)) == ({1: [10, 11], 3: []}, {1: [20], 3: [21]})


def test_cold_items_are_ranked_among_themselves_or_among_all() -> None:
    among = cold_items(EVENTS, COLD).held_out.candidates
    assert among is not None
    assert [items.tolist() for items in among] == [[20, 21], [20, 21]]
    assert cold_items(EVENTS, COLD, among_cold=False).held_out.candidates is None


@pytest.mark.parametrize(("items", "empty"), [([99], "held_out"), ([], "held_out"), ([10, 11, 20, 21], "training")])
def test_cold_items_that_leave_nothing_are_refused(items: list[int], empty: str) -> None:
    with pytest.raises(InvalidInput, match=f"cold items: {empty}"):
        cold_items(EVENTS, np.array(items, dtype=np.uint32))


def test_the_share_of_cold_items_is_drawn_again_by_the_same_seed() -> None:
    events = table(*[(item % 7, item, WATCH, item) for item in range(100)])
    first, again, other = (draw_cold_items(events, 0.2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert len(first) == 20
    assert (np.diff(first.astype(int)) > 0).all()
    assert first.dtype == np.uint32
    assert first.tolist() == again.tolist() != other.tolist()


def test_items_of_few_people_are_not_drawn() -> None:
    events = table((1, 10, WATCH, 1), (1, 10, WATCH, 2), (1, 11, WATCH, 3), (2, 11, WATCH, 3), (3, 12, SEEN, 1))
    assert draw_cold_items(events, 0.99, np.random.default_rng(0)).tolist() == [10, 11]
    assert draw_cold_items(events, 0.99, np.random.default_rng(0), fewest=2).tolist() == [11]
    with pytest.raises(InvalidInput, match="3 or more people"):
        draw_cold_items(events, 0.5, np.random.default_rng(0), fewest=3)


@pytest.mark.parametrize(("reveal", "history"), [(0, []), (1, [0]), (2, [0, 1])])
def test_cold_people_are_judged_on_what_follows_their_first_steps(reveal: int, history: list[int]) -> None:
    events = table(*[(person, item, WATCH, 10 * person + item) for person in range(10) for item in range(4)])
    split = cold_people(events, 0.3, np.random.default_rng(0), reveal=reveal)
    cold = split.held_out.people.tolist()
    assert len(cold) == 3
    assert set(split.training.person.tolist()) == set(range(10)) - set(cold)
    assert known(split.held_out) == dict.fromkeys(cold, history)
    assert targets(split.held_out) == {person: [item for item in range(4) if item not in history] for person in cold}
    assert split.held_out.moments is not None
    assert split.held_out.moments.tolist() == [10 * person + reveal for person in cold]


def test_cold_people_may_be_judged_on_what_they_take_up_again() -> None:
    events = table(*[(person, item, WATCH, 10 * person + at) for person in range(10) for at, item in enumerate((0, 1, 0))])
    assert targets(cold_people(events, 0.1, np.random.default_rng(0), reveal=1, repeats=True).held_out).popitem()[1] == [0, 1]
    assert targets(cold_people(events, 0.1, np.random.default_rng(0), reveal=1).held_out).popitem()[1] == [1]


def test_who_did_no_more_than_is_revealed_is_not_judged() -> None:
    events = table(*[(person, item, WATCH, item) for person in range(10) for item in range(4)])
    with pytest.raises(InvalidInput, match="cold people after 4 events: held_out"):
        cold_people(events, 0.3, np.random.default_rng(0), reveal=4)
    with pytest.raises(InvalidInput, match="reveal"):
        cold_people(events, 0.3, np.random.default_rng(0), reveal=-1)


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_of_nothing_or_all_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match="share"):
        draw_cold_items(EVENTS, share, np.random.default_rng(0))
    with pytest.raises(InvalidInput, match="share"):
        cold_people(EVENTS, share, np.random.default_rng(0))


def test_no_people_leave_nothing_to_learn_from() -> None:
    with pytest.raises(InvalidInput, match="training"):
        cold_people(table(), 0.5, np.random.default_rng(0))
