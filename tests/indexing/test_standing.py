"""How people's items stand, against the plain way to find out; and the counts of popularity likewise."""

from __future__ import annotations

from typing import Any

import numpy as np
from event_rows import strongest_per_key
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.decay import decay
from indexing.learn.popularity import FLOOR, first_events, item_popularity
from indexing.pace import newest
from indexing.standing import Standing
from recommender.events import EventType
from recommender.profile import BuildSettings
from recommender.times import DAY_US, MISSING_TIME

ITEMS = 5
SETTINGS = BuildSettings()
TYPES = [EventType.IMPRESSION, EventType.CLICK, EventType.READ, EventType.LIKE, EventType.DISLIKE, EventType.CUSTOM]
EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4),
        # One number more than the catalogue has.
        st.integers(1, ITEMS + 1),
        st.sampled_from(TYPES),
        st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0, 2.5]),
        st.sampled_from([float("nan"), 0.0, 0.4]),
    ),
    max_size=40,
)


def plain(events: Any, catalogue: Any, limit: int) -> list[tuple[int, int, float, int]]:
    """Person, row, weight and time of what stands, by sorting and by one person after the other."""
    found, numbered = [], 0
    for number in np.unique(events.person):
        own = events.where((events.person == number) & (events.type != EventType.IMPRESSION))
        own = own.where(np.arange(len(own)) >= len(own) - limit)
        rows, weights = catalogue.rows_of(own.item), own.weights(SETTINGS.event_weights)
        kept = np.flatnonzero((rows >= 0) & (weights != 0))
        places, strongest = strongest_per_key(rows[kept].astype(np.int64), weights[kept])
        found += [
            (numbered, int(rows[kept][place]), float(weight), int(own.at[kept][place]))
            for place, weight in zip(places, strongest, strict=True)
        ]
        numbered += bool(len(kept))
    return found


@settings(deadline=None)
@given(EVENTS, st.sampled_from([1, 3, 500]))
def test_an_item_stands_once_for_each_person_at_its_newest_event(tables: Any, rows: Any, limit: int) -> None:
    events, catalogue = tables.events(rows), tables.catalogue(ITEMS)
    standing = Standing.of(events, catalogue, SETTINGS.model_copy(update={"person_limit": limit}))
    assert list(zip(*(column.tolist() for column in standing), strict=True)) == plain(events, catalogue, limit)


def test_nothing_stands_of_nobody(tables: Any) -> None:
    standing = Standing.of(tables.events([]), tables.catalogue(2), SETTINGS)
    assert [len(column) for column in standing] == [0, 0, 0, 0]
    assert not standing.ordered


@settings(deadline=None)
@given(EVENTS)
def test_the_strongest_event_of_a_person_on_a_day_counts_and_of_equal_ones_the_first(tables: Any, rows: Any) -> None:
    events, catalogue = tables.events(rows), tables.catalogue(ITEMS)
    weights, own = events.weights(SETTINGS.event_weights), catalogue.rows_of(events.item)
    best: dict[tuple[int, int, int], int] = {}
    speaking = np.flatnonzero((own >= 0) & (weights > 0) & (events.type != EventType.IMPRESSION))
    for place in speaking.tolist():
        key = int(events.person[place]), int(own[place]), int(events.at[place] // DAY_US)
        if key not in best or weights[place] > weights[best[key]]:
            best[key] = place
    expected = np.zeros(ITEMS)
    if best:
        places = np.array(list(best.values()))
        faded = weights[places] * decay(events.at[places], int(events.at[speaking].max()), 2.0, floor=FLOOR)
        np.add.at(expected, own[places], faded)
    np.testing.assert_allclose(item_popularity(events, catalogue, SETTINGS, half_life_days=2.0), expected, rtol=1e-6)
    times = [[int(at) for at, row in zip(events.at, own, strict=True) if row == item] for item in range(ITEMS)]
    assert first_events(events, catalogue).tolist() == [min(each, default=MISSING_TIME) for each in times]


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(1, 12))
def test_the_newest_are_those_at_the_end_of_a_stable_order(at: list[int], most: int) -> None:
    times = np.array(at, dtype=np.int64)
    assert newest(times, most).tolist() == np.argsort(times, kind="stable")[-most:].tolist()
