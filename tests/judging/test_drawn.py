"""Cuts drawn within each person: an item is on one side only, and the same seed draws the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from event_rows import known, rows_of, table, targets

from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.judging.cuts import Split
from recommender.judging.drawn import clustered, random_share

WATCH, DISLIKE, SEEN = EventType.WATCH, EventType.DISLIKE, EventType.IMPRESSION
GROUPS = np.arange(40) // 4
"""Items 0 to 3 are of group 0, and so on."""


def drawn(events: EventTable, share: float, seed: int = 0) -> Split:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return random_share(events, share, np.random.default_rng(seed))


def of_people(people: int, items: int) -> EventTable:
    return table(*[(person, item, WATCH, item) for person in range(people) for item in range(items)])


def test_a_random_split_warns_that_the_future_leaks() -> None:
    with pytest.warns(UserWarning, match="leaks the future"):
        random_share(of_people(2, 5), 0.2, np.random.default_rng(0))


@pytest.mark.parametrize(("items", "share", "held"), [(10, 0.2, 2), (9, 0.3, 2), (3, 0.1, 1), (2, 0.9, 1), (10, 0.99, 9)])
def test_each_person_gives_up_the_share_of_items(items: int, share: float, held: int) -> None:
    split = drawn(of_people(3, items), share)
    assert {person: len(wanted) for person, wanted in targets(split.held_out).items()} == dict.fromkeys(range(3), held)
    assert {person: len(history) for person, history in known(split.held_out).items()} == dict.fromkeys(range(3), items - held)
    assert len(split.training) == 3 * (items - held)


def test_all_events_of_a_held_out_item_leave_training() -> None:
    events = table(*[(1, item, kind, at) for item in range(4) for at, kind in enumerate((SEEN, WATCH, WATCH, DISLIKE))])
    split = drawn(events, 0.5)
    out = targets(split.held_out)[1]
    assert len(out) == 2
    assert {item for _, item in rows_of(split.training)} == set(range(4)) - set(out)
    assert len(split.training) == 2 * 4


def test_who_has_one_item_is_learnt_from_and_not_judged() -> None:
    split = drawn(table((1, 10, WATCH, 1), (1, 10, WATCH, 2), (2, 10, WATCH, 1), (2, 11, WATCH, 1)), 0.5)
    assert list(targets(split.held_out)) == [2]
    assert rows_of(split.training)[:2] == [(1, 10), (1, 10)]


def test_the_seed_decides() -> None:
    events = of_people(5, 20)
    first, again, other = (targets(drawn(events, 0.2, seed).held_out) for seed in (0, 0, 1))
    assert first == again != other
    first, again, other = (targets(clustered(events, GROUPS, 0.2, np.random.default_rng(seed)).held_out) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(("share", "held"), [(0.2, 1), (0.3, 1), (0.4, 2), (0.6, 3), (0.99, 4)])
def test_whole_groups_are_held_out_until_the_share_is_nearly_out(share: float, held: int) -> None:
    split = clustered(of_people(6, 20), GROUPS, share, np.random.default_rng(0))
    assert len(split.held_out) == 6
    for person, wanted in targets(split.held_out).items():
        assert len(wanted) == 4 * held
        assert not set(GROUPS[wanted]) & set(GROUPS[known(split.held_out)[person]])
    assert len(split.training) == 6 * 4 * (5 - held)


def test_people_whose_groups_are_too_large_are_not_judged() -> None:
    in_one_group = [(1, item, WATCH, item) for item in range(4)]
    in_two_groups = [(2, item, WATCH, item) for item in (0, 1, 2, 3, 4)]
    split = clustered(table(*in_one_group, *in_two_groups), GROUPS, 0.25, np.random.default_rng(0))
    assert targets(split.held_out) == {2: [4]}
    assert len(split.training) == 8
    with pytest.raises(InvalidInput, match="held_out"):
        clustered(table(*in_one_group), GROUPS, 0.25, np.random.default_rng(0))


@pytest.mark.parametrize(
    "groups", [np.zeros(3, dtype=np.int64), np.zeros((20, 1), dtype=np.int64), np.zeros(20), np.zeros(0, dtype=np.int64)]
)
def test_groups_must_cover_the_items(groups: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="groups"):
        clustered(of_people(2, 5), groups, 0.5, np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_of_nothing_or_all_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput, match="share"):
        drawn(of_people(2, 5), share)
    with pytest.raises(InvalidInput, match="share"):
        clustered(of_people(2, 5), GROUPS, share, np.random.default_rng(0))


def test_nothing_to_draw_from_is_refused() -> None:
    with pytest.raises(InvalidInput, match="training"):
        drawn(table(), 0.5)
    with pytest.raises(InvalidInput, match="training"):
        clustered(table(), GROUPS, 0.5, np.random.default_rng(0))
