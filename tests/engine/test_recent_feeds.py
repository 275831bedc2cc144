"""Feeds that are asked for again within a minute are made once, and never outlive what they are made of."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, assert_same_feed, checkerboard, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items
from pyroaring import BitMap

from recommender.composing.variety import Exploration, Impressions, Variety
from recommender.events import EventType
from recommender.feeds import Query, SourceName
from recommender.items import ItemState
from recommender.people import SEEN_DTYPE
from recommender.recent_feeds import KEPT_FEEDS, KEPT_RANKINGS
from recommender.store import Change
from recommender.times import MISSING_TIME, to_micros

NEWCOMER = Query(HOME, 8, reasons=8)
LIKE_ONE = Query(HOME, 8, history=history_of(3, type=EventType.LIKE), seeds_are_items=True)
LATER = NOW + timedelta(seconds=20)
"""The same minute."""


@pytest.mark.parametrize("query", [NEWCOMER, LIKE_ONE, replace(NEWCOMER, sources=frozenset({SourceName.POPULAR}))])
def test_whoever_asks_the_same_in_the_same_minute_gets_the_same_feed(query: Query) -> None:
    engine = engine_of(checkerboard())
    first = feed_of(engine, query)
    assert feed_of(engine, replace(query), now=LATER) is first
    next_minute = feed_of(engine, query, now=NOW + timedelta(minutes=1))
    assert next_minute is not first
    assert rows_in(next_minute) == rows_in(first)


def test_newcomers_who_own_nothing_get_the_same_feed_and_those_who_do_their_own() -> None:
    items = [replace(item, owner="ann" if row == 0 else "") for row, item in enumerate(some_items(40))]
    engine = engine_of(checkerboard(40, items))
    first = feed_of(engine, NEWCOMER)
    assert feed_of(engine, replace(NEWCOMER, owner="ben")) is first
    assert 0 in rows_in(first)
    assert 0 not in rows_in(feed_of(engine, replace(NEWCOMER, owner="ann")))


@pytest.mark.parametrize(
    "other",
    [
        replace(NEWCOMER, size=7),
        replace(NEWCOMER, reasons=2),
        replace(NEWCOMER, filter="price < 9.0"),
        replace(NEWCOMER, placement=HOME.model_copy(update={"fallback": "fresh"})),
        replace(LIKE_ONE, history=history_of(4, type=EventType.LIKE)),
        replace(LIKE_ONE, history=history_of(3, type=EventType.DISLIKE)),
    ],
)
def test_another_question_gets_its_own_answer(other: Query) -> None:
    engine = engine_of(checkerboard())
    for query in (NEWCOMER, LIKE_ONE):
        feed_of(engine, query)
    assert_same_feed(feed_of(engine, other), feed_of(engine_of(checkerboard()), other))


@pytest.mark.parametrize(
    "own",
    [
        replace(NEWCOMER, history=history_of(1, 2)),
        replace(NEWCOMER, consumed=BitMap([number_of(0)])),
        replace(NEWCOMER, dismissed=BitMap([number_of(0)])),
        replace(NEWCOMER, exclude=(number_of(0),)),
        replace(NEWCOMER, candidates=np.array([number_of(0)], dtype=np.uint32)),
    ],
)
def test_what_is_somebodys_own_is_made_for_them(own: Query) -> None:
    engine = engine_of(checkerboard())
    shared = feed_of(engine, NEWCOMER)
    first = feed_of(engine, own)
    assert rows_in(first) != rows_in(shared)
    assert feed_of(engine, own) is not first
    assert feed_of(engine, NEWCOMER) is shared


REGULAR = Query(HOME, 8, history=history_of(1, 2), consumed=BitMap([number_of(1)]), dismissed=BitMap([number_of(3)]), reasons=8)


def test_a_regular_who_asks_the_same_in_the_same_minute_gets_the_same_feed() -> None:
    engine = engine_of(checkerboard())
    once, again = feed_of(engine, REGULAR), feed_of(engine, replace(REGULAR))
    assert again is not once
    assert_same_feed(again, once)
    assert feed_of(engine, replace(REGULAR), now=LATER) is again
    assert feed_of(engine, REGULAR, now=NOW + timedelta(minutes=1)) is not again


@pytest.mark.parametrize(
    "other",
    [
        replace(REGULAR, history=history_of(1, 4)),
        replace(REGULAR, consumed=BitMap([number_of(1), number_of(5)])),
        replace(REGULAR, dismissed=BitMap()),
        replace(REGULAR, exclude=(number_of(7),)),
        replace(REGULAR, filter="price < 9.0"),
        replace(REGULAR, placement=HOME.model_copy(update={"repeat": "allowed"})),
    ],
)
def test_a_regular_of_whom_more_is_known_gets_another_feed(other: Query) -> None:
    engine = engine_of(checkerboard())
    kept = [feed_of(engine, REGULAR) for _ in range(3)][-1]
    for _ in range(3):
        assert_same_feed(feed_of(engine, other), feed_of(engine_of(checkerboard()), other))
    assert feed_of(engine, REGULAR) is kept


def test_a_hidden_item_is_gone_with_the_next_feed() -> None:
    engine = engine_of(checkerboard())
    first = feed_of(engine, NEWCOMER)
    hidden = int(first.numbers[0])
    gone = Change(5, hidden, ItemState.HIDDEN, 0, MISSING_TIME, MISSING_TIME)
    assert hidden not in feed_of(engine.with_changes([gone], 5), NEWCOMER).numbers
    assert feed_of(engine, NEWCOMER) is first


def test_new_counts_make_new_feeds() -> None:
    engine = engine_of(checkerboard())
    first = feed_of(engine, NEWCOMER)
    contents = engine.contents
    counted = engine.with_counts(contents.popularity[::-1].copy(), contents.recent_popularity, contents.response)
    assert rows_in(feed_of(counted, NEWCOMER)) != rows_in(first)


def test_an_item_is_shown_no_longer_than_it_is_valid_and_not_before() -> None:
    items = some_items(4)
    items[1] = replace(items[1], valid_to=NOW + timedelta(seconds=10))
    items[2] = replace(items[2], valid_from=NOW + timedelta(seconds=10))
    engine = engine_of(contents_of(items, popularity=[4, 3, 2, 1]))
    assert rows_in(feed_of(engine, NEWCOMER)) == [0, 1, 3]
    assert rows_in(feed_of(engine, NEWCOMER, now=LATER)) == [0, 2, 3]
    assert rows_in(feed_of(engine, NEWCOMER)) == [0, 1, 3]


def test_an_answer_that_left_something_out_is_not_kept() -> None:
    engine = engine_of(checkerboard())
    [short] = engine.feeds([NEWCOMER], now=NOW, deadline=time.monotonic() - 1)
    assert short.degraded
    assert feed_of(engine, NEWCOMER).degraded == ()


def test_no_more_are_kept_than_that() -> None:
    engine = engine_of(checkerboard())
    first = feed_of(engine, NEWCOMER)
    for tenths in range(KEPT_FEEDS):
        feed_of(engine, replace(NEWCOMER, size=1, filter=f"price < {tenths / 10}"))
    assert feed_of(engine, NEWCOMER) is not first


BY_CHANCE = HOME.model_copy(
    update={"variety": Variety(rotation=1.0), "exploration": Exploration(share=0.2), "impressions": Impressions(discount=0.4)}
)


@pytest.mark.parametrize("query", [replace(NEWCOMER, placement=BY_CHANCE), replace(REGULAR, placement=BY_CHANCE)])
def test_where_chance_has_a_say_a_feed_is_drawn_anew_from_what_was_ranked(query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(checkerboard())
    for seed in range(2):
        feed_of(engine, replace(query, seed=seed))
    monkeypatch.setattr(engine.pools, "pool", lambda *given: pytest.fail("ranked anew"))
    feeds = [feed_of(engine, replace(query, seed=seed), now=LATER) for seed in range(9)]
    assert len({tuple(rows_in(feed)) for feed in feeds}) > 1
    for seed, feed in enumerate(feeds):
        assert_same_feed(feed, feed_of(engine_of(checkerboard()), replace(query, seed=seed)))
        assert feed.made_at == to_micros(NOW)


def test_what_gave_way_meanwhile_does_so_in_what_was_ranked_before() -> None:
    engine, query = engine_of(checkerboard()), replace(REGULAR, placement=BY_CHANCE)
    first = [feed_of(engine, query) for _ in range(3)][-1]
    seen = np.array([(int(first.numbers[0]), 9, to_micros(NOW))], dtype=SEEN_DTYPE)
    again = replace(query, seen=seen)
    assert_same_feed(feed_of(engine, again), feed_of(engine_of(checkerboard()), again))
    assert rows_in(feed_of(engine, again)) != rows_in(first)


def test_no_more_rankings_are_kept_than_that() -> None:
    engine, query = engine_of(checkerboard()), replace(NEWCOMER, placement=BY_CHANCE)
    feed_of(engine, query)
    made = len(engine._rankings)
    for tenths in range(2 * KEPT_RANKINGS):
        feed_of(engine, replace(query, size=1, filter=f"price < {tenths / 10}"))
    assert (made, len(engine._rankings)) == (1, KEPT_RANKINGS)
