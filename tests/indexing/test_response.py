"""How often items are taken up when they are shown: by hand, and how little may be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from indexing.counting import counts
from indexing.learn.popularity import item_popularity
from indexing.learn.response import item_response
from recommender.events import Consent, EventType
from recommender.profile import BuildSettings, Popularity, Response

NONE = float("nan")
HOUR = 1 / 24
SHOWN, CLICK = EventType.IMPRESSION, EventType.CLICK
SETTINGS = BuildSettings(response=Response(half_life_hours=6, prior=2))

Rows = Sequence[tuple[int, int, EventType, float, float]]


def response(tables: Any, rows: Rows, *, items: int = 3, settings: BuildSettings = SETTINGS) -> Any:
    return item_response(tables.events(rows), tables.catalogue(items), settings)


def test_it_is_what_was_taken_up_over_what_is_usual_of_so_many_shows(tables: Any) -> None:
    shows = [(person, item, SHOWN, 5, NONE) for item, people in ((1, 4), (2, 6)) for person in range(people)]
    rows = [*shows, (0, 1, CLICK, 5, NONE), (1, 1, CLICK, 5, NONE), (3, 1, CLICK, 5, NONE), (0, 2, CLICK, 5, NONE)]
    # Four clicks came of ten shows: 1.6 and 2.4 would have been usual.
    np.testing.assert_allclose(response(tables, rows), [(3 + 2) / (1.6 + 2), (1 + 2) / (2.4 + 2), 0], rtol=1e-6)


def test_shows_and_clicks_halve_with_every_half_life(tables: Any) -> None:
    rows = [
        (1, 1, SHOWN, 5, NONE),
        (1, 1, CLICK, 5, NONE),
        (2, 1, SHOWN, 5 - 6 * HOUR, NONE),
        (3, 2, SHOWN, 5 - 12 * HOUR, NONE),
        (3, 2, CLICK, 5 - 12 * HOUR, NONE),
    ]
    rate = (1 + 0.25) / (1 + 0.5 + 0.25)
    np.testing.assert_allclose(response(tables, rows), [(1 + 2) / (rate * 1.5 + 2), (0.25 + 2) / (rate * 0.25 + 2), 0], rtol=1e-6)


def test_being_shown_more_often_for_as_many_clicks_makes_popularity_no_lower_but_response(tables: Any) -> None:
    clicks = [(1, 1, CLICK, 5, NONE), (2, 2, CLICK, 5, NONE)]
    rows = [*clicks, *((1, 1, SHOWN, 5, NONE) for _ in range(2)), *((2, 2, SHOWN, 5, NONE) for _ in range(8))]
    popular = item_popularity(tables.events(rows), tables.catalogue(2), SETTINGS, half_life_days=1)
    assert popular[0] == popular[1]
    first, second = response(tables, rows, items=2)
    assert first > 1 > second


def test_what_was_never_shown_takes_no_part(tables: Any) -> None:
    shown: Rows = [(1, 1, SHOWN, 5, NONE), (1, 1, CLICK, 5, NONE), (1, 2, SHOWN, 5, NONE)]
    found_otherwise: Rows = [(2, 3, CLICK, 6, NONE), (2, 9, CLICK, 6, NONE), (2, 9, SHOWN, 6, NONE)]
    np.testing.assert_array_equal(response(tables, [*shown, *found_otherwise]), response(tables, shown))


def test_dismissing_is_not_taking_up(tables: Any) -> None:
    shown: Rows = [(1, 1, SHOWN, 5, NONE), (1, 2, SHOWN, 5, NONE), (1, 2, CLICK, 5, NONE)]
    np.testing.assert_array_equal(response(tables, [*shown, (1, 1, EventType.HIDE, 5, NONE)]), response(tables, shown))


def test_nothing_is_said_without_impressions_or_where_nothing_shown_was_taken_up(tables: Any) -> None:
    assert not response(tables, [(1, 1, CLICK, 5, NONE), (2, 2, EventType.LIKE, 6, NONE)]).any()
    assert not response(tables, [(1, 1, SHOWN, 5, NONE), (2, 2, CLICK, 6, NONE)]).any()
    assert not response(tables, []).any()


def test_old_shows_leave_an_item_at_the_usual_and_the_numbers_finite(tables: Any) -> None:
    rows = [(1, 1, SHOWN, 0, NONE), (1, 1, CLICK, 0, NONE), (2, 2, SHOWN, 1_000, NONE), (2, 2, CLICK, 1_000, NONE)]
    np.testing.assert_allclose(response(tables, rows), [1, 1, 0])


def test_counts_obey_consent_and_are_those_of_their_learners(tables: Any) -> None:
    rows = [(1, 1, SHOWN, 5, NONE), (1, 1, CLICK, 5, NONE), (1, 2, SHOWN, 5, NONE)]
    events, catalogue = tables.events(rows), tables.catalogue(2)
    settings = SETTINGS.model_copy(update={"popularity": Popularity(half_life_days=9, recent_half_life_days=2)})
    made = counts(events, catalogue, settings)
    np.testing.assert_array_equal(made.popularity, item_popularity(events, catalogue, SETTINGS, half_life_days=9))
    np.testing.assert_array_equal(made.recent_popularity, item_popularity(events, catalogue, SETTINGS, half_life_days=2))
    np.testing.assert_array_equal(made.response, item_response(events, catalogue, SETTINGS))
    for array in counts(tables.events(rows, consent=Consent.PERSONALISE), catalogue, SETTINGS):
        assert not array.any()
