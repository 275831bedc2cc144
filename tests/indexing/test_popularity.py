from __future__ import annotations

from typing import Any

import numpy as np

from indexing.learn.popularity import first_events, item_popularity
from recommender.events import EventType
from recommender.profile import BuildSettings
from recommender.times import DAY_US, MISSING_TIME

NONE = float("nan")
SETTINGS = BuildSettings()


def faded(half_lives: float) -> float:
    """What is left of a weight after so many half-lives; a thousandth never goes."""
    return float(0.001 + 0.999 * 0.5**half_lives)


def popularity(tables: Any, rows: list[tuple[int, int, EventType, float, float]], *, items: int = 3) -> Any:
    return item_popularity(tables.events(rows), tables.catalogue(items), SETTINGS, half_life_days=2)


def test_it_is_the_sum_of_weights_halved_with_each_half_life(tables: Any) -> None:
    rows = [
        (1, 1, EventType.READ, 10, NONE),
        (2, 1, EventType.LIKE, 8, NONE),
        (3, 2, EventType.WATCH, 6, 0.5),
        (3, 2, EventType.VIEW, 2, NONE),
    ]
    np.testing.assert_allclose(popularity(tables, rows), [1 + 1.5 * faded(1), 0.5 * faded(2) + 0.5 * faded(4), 0], rtol=1e-6)


def test_one_person_hammering_an_item_counts_once_a_day(tables: Any) -> None:
    hammering = [(1, 1, EventType.CLICK, 5 + minute / 1440, NONE) for minute in range(1000)]
    next_day = [(1, 1, EventType.CLICK, 6, NONE)]
    one, two = popularity(tables, hammering)[0], popularity(tables, hammering + next_day)[0]
    np.testing.assert_allclose(one, 0.7 * faded((999 / 1440) / 2), rtol=1e-5)
    np.testing.assert_allclose(two, 0.7 + 0.7 * faded(0.5), rtol=1e-5)


def test_the_strongest_event_of_the_day_counts(tables: Any) -> None:
    rows = [(1, 1, EventType.VIEW, 5, NONE), (1, 1, EventType.PURCHASE, 5, NONE), (1, 1, EventType.CLICK, 5, NONE)]
    np.testing.assert_allclose(popularity(tables, rows), [1.5, 0, 0])


def test_people_and_items_do_not_run_together(tables: Any) -> None:
    rows = [(person, item, EventType.READ, 5.0, NONE) for person in (1, 2, 3) for item in (1, 2)]
    np.testing.assert_allclose(popularity(tables, rows), [3, 3, 0])


def test_dismissals_and_impressions_and_unknown_items_do_not_count(tables: Any) -> None:
    rows = [(1, 1, EventType.DISLIKE, 5, NONE), (1, 2, EventType.IMPRESSION, 5, NONE), (1, 9, EventType.LIKE, 5, NONE)]
    np.testing.assert_array_equal(popularity(tables, rows), [0, 0, 0])


def test_a_short_memory_sees_what_is_on_the_rise(tables: Any) -> None:
    rows = [(1, 1, EventType.READ, 0, NONE), (2, 1, EventType.READ, 0, NONE), (3, 2, EventType.READ, 10, NONE)]
    events, catalogue = tables.events(rows), tables.catalogue(3)
    lasting, recent = (item_popularity(events, catalogue, SETTINGS, half_life_days=days) for days in (10, 2))
    np.testing.assert_allclose(lasting, [2 * faded(1), 1, 0], rtol=1e-6)
    np.testing.assert_allclose(recent, [2 * faded(5), 1, 0], rtol=1e-6)


def test_an_item_is_known_from_its_first_event_of_any_type_on(tables: Any) -> None:
    rows = [
        (1, 1, EventType.LIKE, 3, NONE),
        (2, 1, EventType.IMPRESSION, 2, NONE),
        (1, 3, EventType.DISLIKE, 5, NONE),
        (1, 9, EventType.LIKE, 1, NONE),
    ]
    np.testing.assert_array_equal(first_events(tables.events(rows), tables.catalogue(3)), [2 * DAY_US, MISSING_TIME, 5 * DAY_US])


def test_without_events_nothing_is_popular(tables: Any) -> None:
    np.testing.assert_array_equal(popularity(tables, []), np.zeros(3))
