"""Transitions against arithmetic by hand; items are numbered from 1, so item n stands in row n − 1."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from indexing.learn.transitions import transition_weights
from recommender.events import EventType
from recommender.profile import BuildSettings, Transitions

NONE = float("nan")
COUNTED = Transitions(step_decay=0.5, backward=0.25, source_exponent=0, target_exponent=0)
READ = EventType.READ

Rows = list[tuple[int, int, EventType, float, float]]


def weights(tables: Any, rows: Rows, options: Transitions = COUNTED, *, items: int = 4, half_life_days: float = 1e5, **other: Any) -> Any:
    settings = BuildSettings(transitions=options, half_life_days=half_life_days, **other)
    return transition_weights(tables.events(rows), tables.catalogue(items), settings).toarray()


def reads(*items: int, person: int = 1) -> Rows:
    """One read a day."""
    return [(person, item, READ, float(day), NONE) for day, item in enumerate(items)]


def test_a_pair_fades_with_its_steps_and_says_less_backward(tables: Any) -> None:
    expected = [[0, 1, 1 / 2, 0], [1 / 4, 0, 1, 0], [1 / 4 * 1 / 2, 1 / 4, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(weights(tables, reads(1, 2, 3)), expected, rtol=1e-3)


def test_people_add_up_and_do_not_run_together(tables: Any) -> None:
    rows = [*reads(1, 2), *reads(1, 2, person=2), *reads(3, 4, person=3)]
    expected = [[0, 2, 0, 0], [2 / 4, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1 / 4, 0]]
    np.testing.assert_allclose(weights(tables, rows), expected, rtol=1e-3)


def test_pairs_beyond_the_window_do_not_count(tables: Any) -> None:
    near = weights(tables, reads(1, 2, 3, 4), COUNTED.model_copy(update={"window": 1}))
    assert [tuple(place) for place in np.argwhere(near)] == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]


def test_a_pair_counts_by_the_weight_of_the_item_that_is_scored(tables: Any) -> None:
    rows = [(1, 1, EventType.VIEW, 0, NONE), (1, 2, EventType.LIKE, 1, NONE)]
    np.testing.assert_allclose(weights(tables, rows, items=2), [[0, 1.5], [0.5 / 4, 0]], rtol=1e-3)


def test_old_pairs_fade(tables: Any) -> None:
    rows = [*reads(1, 2), *((2, item, READ, 101.0 + item, NONE) for item in (3, 4))]
    faded = weights(tables, rows, half_life_days=52)
    # The second person's last read is the newest of all, day 105; the first one's item 2 is two half-lives older.
    np.testing.assert_allclose(faded[0, 1], 0.05 + 0.95 / 4, rtol=1e-6)
    np.testing.assert_allclose(faded[2, 3], 1, rtol=1e-6)


def test_sums_are_divided_by_powers_of_what_leaves_and_what_reaches(tables: Any) -> None:
    plain = weights(tables, [*reads(1, 2, 3), *reads(2, 3, person=2)]).astype(np.float64)
    divided = weights(
        tables, [*reads(1, 2, 3), *reads(2, 3, person=2)], COUNTED.model_copy(update={"source_exponent": 0.5, "target_exponent": 0.25})
    )
    leaving, reaching = np.maximum(plain.sum(axis=1, keepdims=True), 1e-9), np.maximum(plain.sum(axis=0), 1e-9)
    np.testing.assert_allclose(divided, plain / leaving**0.5 / reaching**0.25, rtol=1e-5)


def test_events_of_equal_time_have_no_order(tables: Any) -> None:
    assert not weights(tables, [(1, item, READ, 5.0, NONE) for item in (1, 2, 3, 4)]).any()


def test_events_of_equal_time_stand_together_at_the_middle_of_their_places(tables: Any) -> None:
    # Item 1, then 2 and 3 at one time, then 4: steps 0, 1.5, 1.5 and 3.
    rows = [(1, 1, READ, 0.0, NONE), (1, 2, READ, 1.0, NONE), (1, 3, READ, 1.0, NONE), (1, 4, READ, 2.0, NONE)]
    half, two = 0.5**0.5, 0.5**2
    expected = [[0, half, half, two], [half / 4, 0, 0, half], [half / 4, 0, 0, half], [two / 4, half / 4, half / 4, 0]]
    np.testing.assert_allclose(weights(tables, rows), expected, rtol=1e-3)


@pytest.mark.parametrize("window", [1, 2, 3, 30])
def test_the_order_of_arrival_of_events_of_equal_time_changes_nothing(tables: Any, window: int) -> None:
    options = COUNTED.model_copy(update={"window": window})
    before, after = [(1, item, READ, 0.0, NONE) for item in (1, 2)], [(1, item, READ, 3.0, NONE) for item in (3, 4, 5)]
    usual = weights(tables, before + after, options, items=5)
    # Steps of groups of two and three lie two and a half apart.
    assert usual.any() == (window >= 3)
    for order in permutations(before + after):
        np.testing.assert_array_equal(weights(tables, list(order), options, items=5), usual)


def test_an_item_stands_once_at_its_newest_event_with_its_strongest_weight(tables: Any) -> None:
    rows = [
        (1, 1, EventType.LIKE, 0, NONE),
        (1, 2, READ, 1, NONE),
        (1, 1, EventType.VIEW, 2, NONE),
        (1, 1, EventType.VIEW, 3, NONE),
        (1, 3, READ, 4, NONE),
    ]
    expected = [[0, 1 / 4, 1], [1.5, 0, 1 / 2], [1.5 / 4, 1 / 2 * 1 / 4, 0]]
    np.testing.assert_allclose(weights(tables, rows, items=3), expected, rtol=1e-3)


def test_what_was_disliked_in_the_end_and_what_was_only_shown_is_no_step(tables: Any) -> None:
    rows = [
        (1, 1, READ, 0, NONE),
        (1, 3, EventType.LIKE, 1, NONE),
        (1, 4, EventType.IMPRESSION, 1, NONE),
        (1, 3, EventType.DISLIKE, 2, NONE),
        (1, 2, READ, 3, NONE),
    ]
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 0] = 1, 1 / 4
    np.testing.assert_allclose(weights(tables, rows), expected, rtol=1e-3)


def test_items_that_the_catalogue_lacks_are_left_out(tables: Any) -> None:
    np.testing.assert_allclose(weights(tables, reads(1, 9, 2), items=2), [[0, 1], [1 / 4, 0]], rtol=1e-3)


def test_only_the_newest_events_of_a_person_are_learnt_from(tables: Any) -> None:
    kept = weights(tables, reads(1, 2, 3, 4), person_limit=2)
    assert [tuple(place) for place in np.argwhere(kept)] == [(2, 3), (3, 2)]


def test_without_events_nothing_is_learnt(tables: Any) -> None:
    assert not weights(tables, []).any()


def test_every_setting_changes_the_weights(tables: Any) -> None:
    rng = np.random.default_rng(2)
    rows = [row for person in range(1, 20) for row in reads(*(1 + rng.permutation(8)), person=person)]
    usual = weights(tables, rows, Transitions(), items=8)
    for changed in (
        {"neighbours": 3},
        {"window": 2},
        {"step_decay": 0.5},
        {"backward": 0.0},
        {"source_exponent": 0.8},
        {"target_exponent": 0.8},
    ):
        assert (weights(tables, rows, Transitions(**changed), items=8) != usual).any()
