"""What is popular moves with events between two builds, as a build with the same events would have it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from handmade import HOME, NOW, contents_of, engine_of, feed_of, number_of, rows_in, some_items

from indexing.counting import counts
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Query, SourceName
from recommender.generation import Contents
from recommender.live_counts import LiveCounts
from recommender.profile import BuildSettings, Popularity
from recommender.times import DAY_US, to_micros

N = 6
BASE = BuildSettings()
SETTINGS = BASE.model_copy(update={"popularity": Popularity(half_life_days=3.0, recent_half_life_days=0.5), "half_life_days": 180.0})
TABLE = SETTINGS.event_weights.table()
T0 = to_micros(NOW)
POPULAR = Query(HOME.model_copy(update={"fallback": "none"}), N, sources=frozenset({SourceName.POPULAR}))


def events(rng: np.random.Generator, m: int, first: float, last: float) -> EventTable:
    """m events of a few people between two days from T0 on."""
    types = rng.choice([EventType.CLICK, EventType.LIKE, EventType.WATCH, EventType.IMPRESSION, EventType.DISLIKE], m)
    return EventTable.sorted(
        person=rng.integers(1, 8, m).astype(np.uint32),
        item=np.array([number_of(int(row)) for row in rng.integers(0, N, m)], dtype=np.uint32),
        type=types.astype(np.uint8),
        value=np.where(types == EventType.WATCH, rng.random(m), np.nan).astype(np.float32),
        at=(T0 + DAY_US * rng.uniform(first, last, m)).astype(np.int64),
        consent=np.where(rng.random(m) < 0.8, int(Consent.ALL), int(Consent.PERSONALISE)).astype(np.uint8),
        sequence=np.arange(m),
    )


def batch_of(table: EventTable) -> pa.RecordBatch:
    watched = table.type == EventType.WATCH
    nothing = np.full(len(table), np.nan, dtype=np.float32)
    return pa.record_batch(
        {
            "person": table.person,
            "item": table.item,
            "type": table.type,
            "value": np.where(watched, nothing, table.value),
            "portion": np.where(watched, table.value, nothing),
            "at": table.at,
            "consent": table.consent,
        }
    )


def built(table: EventTable) -> Contents:
    """Contents that were counted from `table`."""
    contents = contents_of(some_items(N))
    counted = counts(table, contents.catalogue, SETTINGS)
    newest = table.consenting(Consent.TRAIN).at.max()
    return replace(
        contents,
        popularity=counted.popularity,
        recent_popularity=counted.recent_popularity,
        counting=np.array([3.0, 0.5, newest]),
    )


def both(*tables: EventTable) -> EventTable:
    columns = ("person", "item", "type", "value", "at", "consent")
    joined = [np.concatenate([getattr(table, name) for table in tables]) for name in columns]
    return EventTable.sorted(*joined, sequence=np.arange(len(joined[0])))


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_build_with_the_newer_events(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old, new = events(rng, 200, -6.5, -0.6), events(rng, 120, 0.6, 3.4)
    contents = built(old)
    live = LiveCounts(contents, TABLE)
    # As they arrive, in pieces and up to a day late.
    order = np.argsort(new.at // DAY_US + rng.random(len(new)))
    for part in np.array_split(order, 7):
        live.take(batch_of(both(*[new.where(np.isin(np.arange(len(new)), part))])))
    engine = live.over(engine_of(contents, SETTINGS))
    wanted = counts(both(old, new), contents.catalogue, SETTINGS)
    # A build lets the oldest events keep a thousandth of their weight.
    np.testing.assert_allclose(engine.facts.popularity, wanted.popularity, rtol=0.02, atol=0.2)
    np.testing.assert_allclose(engine.facts.recent, wanted.recent_popularity, rtol=0.02, atol=0.2)


def one(row: int, person: int, days: float, *, type: EventType = EventType.CLICK, consent: Consent = Consent.ALL) -> EventTable:
    given = {"person": [person], "item": [number_of(row)], "type": [int(type)], "value": [np.nan], "at": [T0 + days * DAY_US]}
    kinds = {"person": np.uint32, "item": np.uint32, "type": np.uint8, "value": np.float32, "at": np.int64}
    columns = {name: np.array(given[name]).astype(kinds[name]) for name in given}
    return EventTable.sorted(**columns, consent=np.array([int(consent)], dtype=np.uint8), sequence=np.zeros(1, dtype=np.int64))


def after(*tables: EventTable) -> list[int]:
    contents = replace(contents_of(some_items(N), popularity=[3, 2, 1, 0, 0, 0]), counting=np.array([3.0, 0.5, T0]))
    live = LiveCounts(contents, TABLE)
    for table in tables:
        live.take(batch_of(table))
    return rows_in(feed_of(live.over(engine_of(contents)), POPULAR))


def test_what_many_people_take_up_comes_first_and_what_nobody_does_fades() -> None:
    assert after() == [0, 1, 2]
    assert after(*[one(4, person, 1) for person in range(1, 9)])[0] == 4
    assert after(one(4, 1, 30))[0] == 4


def test_after_years_without_events_an_archive_keeps_its_order_behind_what_is_new() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert after(one(4, 1, 30 * 365)) == [4, 0, 1, 2]


def test_one_person_who_does_it_again_and_again_counts_once_a_day() -> None:
    again = [one(4, 1, 0.01 + 0.001 * time) for time in range(50)]
    assert after(*again) == after(again[0])


def test_impressions_dislikes_and_what_may_not_be_learnt_from_count_nothing() -> None:
    silent = [one(4, 1, 1, type=EventType.IMPRESSION), one(4, 2, 1, type=EventType.DISLIKE), one(4, 3, 1, consent=Consent.PERSONALISE)]
    assert 4 not in after(*silent)


def test_a_generation_that_does_not_say_how_it_counted_stays_as_it_is() -> None:
    contents = contents_of(some_items(N), popularity=[3, 2, 1, 0, 0, 0])
    live = LiveCounts(contents, TABLE)
    live.take(batch_of(one(4, 1, 1)))
    engine = engine_of(contents)
    assert live.over(engine) is engine
