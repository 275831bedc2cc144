"""Histories that ask again: what sources made of them is used again, and changes no answer."""

from __future__ import annotations

import gc
import weakref

import numpy as np
from handmade import HOME, checkerboard, engine_of, feed_of, history_of, rows_in

from recommender.feeds import Query
from recommender.profile import BuildSettings
from recommender.recent_pasts import EVENTS, KEPT, KEPT_OF_ONCE, RecentPasts

HISTORY = history_of(0, 2, 4)


def recent() -> RecentPasts:
    return RecentPasts(checkerboard().catalogue, BuildSettings())


def test_the_same_history_is_the_same_past_whoever_asks() -> None:
    pasts = recent()
    first = pasts.of(Query(HOME, 5, history=HISTORY))
    assert pasts.of(Query(HOME, 9, history=HISTORY.copy(), filter="price < 3.0")) is first
    assert first.rows.tolist() == [0, 2, 4]


def test_another_event_or_another_meaning_of_the_events_makes_another_past() -> None:
    pasts = recent()
    first = pasts.of(Query(HOME, 5, history=HISTORY))
    later = HISTORY.copy()
    later["at"][-1] += 1
    for other in (
        Query(HOME, 5, history=later),
        Query(HOME, 5, history=HISTORY[1:]),
        Query(HOME, 5, history=HISTORY, seeds_are_items=True),
    ):
        assert pasts.of(other) is not first
    assert pasts.of(Query(HOME, 5, history=HISTORY)) is first


def test_of_those_that_asked_once_the_oldest_give_way() -> None:
    pasts = recent()
    kept = [pasts.of(Query(HOME, 5, history=history_of(row))) for row in range(KEPT_OF_ONCE + 1)]
    assert pasts.of(Query(HOME, 5, history=history_of(1))) is kept[1]
    assert pasts.of(Query(HOME, 5, history=history_of(0))) is not kept[0]


def test_regulars_stay_however_many_ask_but_once_and_give_way_to_other_regulars() -> None:
    pasts, query = recent(), Query(HOME, 5, history=HISTORY)
    regular = pasts.of(query)
    assert not pasts.is_of_a_regular(query)
    assert pasts.of(query) is regular
    assert pasts.is_of_a_regular(query)
    for row in range(3 * KEPT):
        pasts.of(Query(HOME, 5, history=history_of(row)))
    assert pasts.of(query) is regular
    for row in range(KEPT):
        for _ in range(2):
            pasts.of(Query(HOME, 5, history=history_of(row)))
    assert not pasts.is_of_a_regular(query)
    assert pasts.of(query) is not regular


def test_long_histories_give_way_where_they_hold_too_many_events_together() -> None:
    pasts, length = RecentPasts(checkerboard(200).catalogue, BuildSettings()), 200
    each = [history_of(*range(length)) for _ in range(EVENTS // length + 1)]
    for number, history in enumerate(each):
        history["at"] += number
        for _ in range(2):
            pasts.of(Query(HOME, 5, history=history))
    assert len(each) <= KEPT
    queries = [Query(HOME, 5, history=history) for history in each]
    assert all(pasts.is_of_a_regular(query) for query in queries)
    kept = [pasts.of(query) for query in queries[1:]]
    assert [pasts.of(query) for query in queries[1:]] == kept
    first = pasts.of(queries[0])
    assert pasts.of(queries[0]) is first
    assert pasts.of(queries[1]) is not kept[0]


def test_asking_again_answers_the_same_and_asking_otherwise_as_if_it_were_the_first_time() -> None:
    engine = engine_of(checkerboard())
    first = feed_of(engine, Query(HOME, 12, history=HISTORY, reasons=12))
    again = feed_of(engine, Query(HOME, 12, history=HISTORY, reasons=12))
    assert rows_in(again) == rows_in(first)
    np.testing.assert_array_equal(again.scores, first.scores)
    assert again.reasons == first.reasons
    assert again.retrieval_mode == first.retrieval_mode != "none"
    filtered = Query(HOME, 12, history=HISTORY, filter="price < 9.0", reasons=12)
    fresh = feed_of(engine_of(checkerboard()), filtered)
    assert rows_in(feed_of(engine, filtered)) == rows_in(fresh) != rows_in(first)


def test_a_past_that_gave_way_is_gone_at_once() -> None:
    engine = engine_of(checkerboard())
    feed_of(engine, Query(HOME, 12, history=HISTORY, reasons=12))
    gone = weakref.ref(engine.pools.pasts.of(Query(HOME, 12, history=HISTORY)))
    gc.collect()
    gc.disable()
    try:
        for row in range(KEPT):
            for _ in range(2):
                engine.pools.pasts.of(Query(HOME, 5, history=history_of(row)))
        assert gone() is None
    finally:
        gc.enable()


def test_an_engine_that_nobody_holds_is_gone_at_once_with_its_catalogue() -> None:
    engine = engine_of(checkerboard())
    feed_of(engine, Query(HOME, 12, history=HISTORY, filter="price < 9.0 && kind == 'media'", reasons=12))
    held = (engine, engine.pools, engine.contents, engine.contents.catalogue, *engine.sources)
    gone = [weakref.ref(one) for one in held]
    gc.collect()
    gc.disable()
    try:
        del engine, held
        assert [one() for one in gone] == [None] * len(gone)
    finally:
        gc.enable()
