"""Feeds by a trend: its items in its order, what is popular anyway behind them, and reasons that tell one from the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from handmade import HOME, NOW, contents_of, engine_of, feed_of, number_of, rows_in, some_items

from recommender.engine import Recommender
from recommender.feeds import Query, ReasonKind, SourceName
from recommender.items import Item, ItemKind, ItemState
from recommender.reasons import reason_text
from recommender.segments import Delta
from recommender.served_query import decode_query, encode_query
from recommender.trends import OF_ALL, OF_GROUP, Asked, Trend

DAY = 86_400_000_000
ASKED = Asked(window_us=DAY, region="FR-ARA-69", region_name="Lyon")


def trend_by(rows: list[int], of_group: int, *, key: str = "one", region: str = "FR-ARA-69", asked: Asked = ASKED) -> Trend:
    """The rows, best first, the first of them by the group's counts."""
    levels = np.array([OF_GROUP] * of_group + [OF_ALL] * (len(rows) - of_group), dtype=np.uint8)
    return Trend(key, asked, region, "", np.array([number_of(row) for row in rows], dtype=np.uint32), levels)


def query_by(trend: Trend | None, **wanted: object) -> Query:
    query = Query(HOME, 6, sources=frozenset({SourceName.POPULAR}), reasons=6, trend=trend)
    return replace(query, **wanted)  # type: ignore[arg-type]


def engine() -> Recommender:
    return engine_of(contents_of(some_items(6), popularity=[6, 5, 4, 3, 0, 1]))


def texts(engine: Recommender, query: Query) -> list[str]:
    return [reason_text(reason, {}) for reason in feed_of(engine, query).reasons]


def test_the_trend_comes_first_and_what_is_popular_anyway_behind_it() -> None:
    query = query_by(trend_by([4, 3, 5], of_group=2))
    assert rows_in(feed_of(engine(), query)) == [4, 3, 5, 0, 1, 2]
    assert texts(engine(), query) == ["Popular in Lyon today"] * 2 + ["Popular today"] + ["Popular now"] * 3


def test_what_nobody_took_up_before_is_popular_once_it_trends() -> None:
    assert feed_of(engine(), query_by(None)).reasons[5].kind is ReasonKind.FILL
    assert feed_of(engine(), query_by(trend_by([4], of_group=0))).reasons[0].kind is ReasonKind.POPULAR


def test_category_region_and_segment_stand_in_one_sentence() -> None:
    asked = Asked(window_us=7 * DAY, region="FR", segment="s1", segment_name="students")
    trend = replace(trend_by([0], of_group=1, region="FR", asked=asked), segment="s1")
    [reason] = feed_of(engine_of(contents_of([Item("a", ItemKind.MEDIA, categories=("jazz",))])), query_by(trend, category="jazz")).reasons
    assert reason_text(reason, {}) == "Popular in jazz in FR with students this week"
    assert (reason.trending.region, reason.trending.segment, reason.trending.window_us) == ("FR", "s1", 7 * DAY)  # type: ignore[union-attr]


def test_another_trend_is_another_feed_though_all_else_is_the_same() -> None:
    serving = engine()
    assert rows_in(feed_of(serving, query_by(trend_by([5], 1))))[0] == 5
    assert rows_in(feed_of(serving, query_by(trend_by([3], 1, key="two"))))[0] == 3
    assert rows_in(feed_of(serving, query_by(None)))[0] == 0
    # The same counts under another name of the region.
    called = trend_by([5], 1).called(replace(ASKED, region_name="Lugdunum"))
    assert texts(serving, query_by(called))[0] == "Popular in Lugdunum today"


def test_limits_hold_for_what_trends() -> None:
    serving = engine()
    assert rows_in(feed_of(serving, query_by(trend_by([4, 3, 5], 2), exclude=(number_of(4),)))) == [3, 5, 0, 1, 2]
    assert rows_in(feed_of(serving, query_by(trend_by([4, 3, 5], 2), filter='id == "item-5"'))) == [5]


def test_items_that_the_generation_does_not_have_are_passed_over() -> None:
    trend = trend_by([4, 99, 3], of_group=3)
    assert rows_in(feed_of(engine(), query_by(trend))) == [4, 3, 0, 1, 2, 5]


def test_new_items_laid_over_a_generation_trend_too() -> None:
    serving = engine()
    new = Item("new", ItemKind.MEDIA, title="New")
    delta = Delta.of([(number_of(6), ItemState.LIVE, new)], np.zeros((1, 4), np.float32), dimension=4)
    overlaid = serving.with_overlay(delta, 1, [])
    query = query_by(trend_by([3, 6], of_group=1), size=7)
    assert rows_in(feed_of(overlaid, query)) == [3, 6, 0, 1, 2, 5, 4]
    assert texts(overlaid, query)[:3] == ["Popular in Lyon today", "Popular today", "Popular now"]


def test_an_empty_trend_leaves_what_is_popular_anyway() -> None:
    assert rows_in(feed_of(engine(), query_by(trend_by([], 0)))) == [0, 1, 2, 3, 5, 4]


def test_the_record_keeps_what_trend_was_asked_for_and_says_that_its_counts_are_gone() -> None:
    read = decode_query(encode_query(query_by(trend_by([4], 1))))
    assert read.trend is not None
    assert read.trend.asked == ASKED
    assert [(entry.what, entry.why) for entry in read.trend.degraded] == [("trend", "not_kept")]
    assert decode_query(encode_query(query_by(None))).trend is None
    assert feed_of(engine(), read, now=NOW).numbers.tolist() == feed_of(engine(), query_by(None)).numbers.tolist()
