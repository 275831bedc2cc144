"""The two sources that know nothing of the person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, contents_of, engine_of, feed_of, rows_in, some_items
from pyroaring import BitMap

from recommender.feeds import Query, SourceName
from recommender.sources import FreshSource, PopularSource
from recommender.times import MISSING_TIME, to_micros

SHORT = HOME.model_copy(update={"fallback": "none"})
FRESH_ONLY = frozenset({SourceName.FRESH})


def test_popular_items_come_in_order_and_ties_by_number() -> None:
    engine = engine_of(contents_of(some_items(6), popularity=[1, 3, 0, 3, 2, 0]))
    feed = feed_of(engine, Query(SHORT, 6, sources=frozenset({SourceName.POPULAR})))
    assert rows_in(feed) == [1, 3, 4, 0]


def test_nothing_is_popular_before_the_first_event() -> None:
    assert not PopularSource(np.zeros(3, dtype=np.float32)).order.size


def test_fresh_items_come_newest_first() -> None:
    items = some_items(8)
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    for age, row in enumerate(order):
        items[row] = replace(items[row], published_at=NOW - timedelta(hours=age))
    feed = feed_of(engine_of(contents_of(items)), Query(SHORT, 8, sources=FRESH_ONLY))
    assert rows_in(feed) == order


def test_undated_items_and_those_of_the_future_have_no_say() -> None:
    items = some_items(5)
    items[1] = replace(items[1], published_at=None)
    items[2] = replace(items[2], published_at=NOW + timedelta(seconds=1))
    items[3] = replace(items[3], published_at=NOW)
    engine = engine_of(contents_of(items))
    assert rows_in(feed_of(engine, Query(SHORT, 5, sources=FRESH_ONLY))) == [0, 3, 4]
    later = feed_of(engine, Query(SHORT, 5, sources=FRESH_ONLY), now=NOW + timedelta(hours=1))
    assert rows_in(later) == [2, 0, 3, 4]


def test_an_item_published_in_the_future_is_not_filled_in_as_new() -> None:
    items = some_items(4)
    items[2] = replace(items[2], published_at=NOW + timedelta(hours=1))
    items[3] = replace(items[3], published_at=None)
    engine = engine_of(contents_of(items, popularity=[0, 0, 1, 2]))
    feed = feed_of(engine, Query(HOME.model_copy(update={"fallback": "fresh"}), 4, exclude=(10,), sources=frozenset()))
    assert rows_in(feed) == [1, 3, 2]
    assert feed.sources.tolist() == [SourceName.FRESH, SourceName.POPULAR, SourceName.POPULAR]


def test_freshness_halves_with_every_half_life() -> None:
    moment = to_micros(NOW)
    ages = np.array([0, 24, 48, 72])
    published = np.append(moment - ages * 3_600_000_000, [MISSING_TIME, moment + 5])
    decay = FreshSource(published).decay(np.arange(6), moment, 24)
    np.testing.assert_allclose(decay, [1, 0.5, 0.25, 0.125, 0, 1])


def test_the_deep_end_of_the_order_is_reached_however_much_is_not_allowed() -> None:
    n = 3_000
    popularity = np.arange(n, 0, -1).astype(np.float32)
    allowed = np.zeros(n, dtype=np.bool_)
    assert PopularSource(popularity).candidates(allowed, 2).tolist() == []
    allowed[-3:] = True
    assert PopularSource(popularity).candidates(allowed, 2).tolist() == [n - 3, n - 2]


@pytest.mark.parametrize("fallback", ["popular", "fresh"])
def test_a_slate_is_full_while_anything_may_be_shown(fallback: str) -> None:
    items = [replace(item, published_at=None) if row % 2 else item for row, item in enumerate(some_items(30))]
    engine = engine_of(contents_of(items, popularity=[0] * 25 + [1] * 5))
    placement = HOME.model_copy(update={"fallback": fallback})
    for eaten in (0, 10, 29, 30):
        feed = feed_of(engine, Query(placement, 25, consumed=BitMap(range(10, 10 + 3 * eaten))))
        assert len(feed.numbers) == min(25, 30 - eaten) == min(25, feed.eligible)
