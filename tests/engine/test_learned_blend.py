"""A blend that a generation learned: what feeds are made of it, and where a placement does without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from handmade import (
    HOME,
    NOW,
    assert_same_feed,
    blend_by,
    blend_of,
    checkerboard,
    contents_of,
    engine_of,
    feed_of,
    history_of,
    number_of,
    rows_in,
    some_items,
    stumps,
)
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query, ReasonKind, SourceName
from recommender.generation import Contents
from recommender.people import HISTORY_DTYPE, History
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking import Blend, Trees

N = 40
TREES = stumps(
    ("item_item.strength", 0.7, -0.3, 0.4),
    ("popularity", 0.05, 0.0, 0.3),
    ("likeness_to_all", 0.9, -0.2, 0.5),
    ("blend", 0.6, -0.25, 0.15),
    ("fresh.strength", 0.5, -0.1, 0.1),
)


def by_bucket() -> Blend:
    """Weights that differ with the length of the history, some sources without a say in some buckets."""
    weights = np.random.default_rng(3).random((4, len(SourceName))).astype(np.float32)
    weights[0, SourceName.FRESH - 1] = weights[2, SourceName.FRESH - 1] = 0
    weights[1, SourceName.GRAPH - 1] = weights[3, SourceName.POPULAR - 1] = 0
    return blend_of(weights, TREES, slope=1.5, offset=-0.5)


PLAIN = engine_of(checkerboard(N))
BY_WEIGHTS = engine_of(replace(checkerboard(N), blend=replace(by_bucket(), trees=None)))
BY_TREES = engine_of(replace(checkerboard(N), blend=by_bucket()))
HISTORY = history_of(0, 2, 5, 8)


def after(history: History, placement: Placement = HOME, size: int = 30, **more: object) -> Query:
    return Query(placement, size, history=history, consumed=BitMap(history["item"]), **more)  # type: ignore[arg-type]


def varied_queries(count: int) -> list[Query]:
    """Queries of every length of history, by several placements, some of a few sources."""
    rng = np.random.default_rng(4)
    placements = [
        HOME,
        HOME.model_copy(update={"ranker_depth": 7, "freshness_half_life_hours": 5.0}),
        HOME.model_copy(update={"blend": "weights"}),
        HOME.model_copy(update={"candidates": 10, "repeat": "allowed", "fallback": "none"}),
    ]
    queries = []
    for at in range(count):
        history = np.zeros(int(rng.choice([0, 1, 2, 5, 14])), dtype=HISTORY_DTYPE)
        history["item"] = [number_of(int(row)) for row in rng.integers(0, N + 3, len(history))]
        history["type"] = rng.choice([EventType.CLICK, EventType.LIKE, EventType.DISLIKE], len(history))
        history["value"], history["at"] = np.nan, np.arange(len(history))
        sources = [None, None, frozenset({SourceName.FRESH, SourceName.GRAPH})][at % 3]
        queries.append(after(history, placements[at % 4], sources=sources, reasons=5))
    return queries


def three_items(trees: Trees | None = None, **more: float) -> Recommender:
    """Row 0 leads to row 1 twice as much as to row 2, which is half as popular; scales are what row 1 gets after row 0."""
    scales = np.ones(len(SourceName), dtype=np.float32)
    scales[[SourceName.ITEM_ITEM - 1, SourceName.POPULAR - 1]] = 4 * BuildSettings().event_weights.like, 8
    blend = replace(blend_by(trees, item_item=1.0, popular=0.5, **more), scales=scales)
    return engine_of(contents_of(some_items(3), item_item=[[0, 4, 2], [0, 0, 0], [0, 0, 0]], popularity=[9, 8, 4], blend=blend))


def test_by_weights_a_score_is_the_weighted_sum_of_strengths() -> None:
    feed = feed_of(three_items(), after(history_of(0)))
    assert rows_in(feed) == [1, 2]
    np.testing.assert_allclose(feed.scores, [1.0 * 1 + 0.5 * 1, 1.0 * 0.5 + 0.5 * 0.5], rtol=1e-6)
    np.testing.assert_allclose(feed.contributions[:, SourceName.ITEM_ITEM - 1], [1.0, 0.5], rtol=1e-6)
    assert feed.source_ranks[:, SourceName.POPULAR - 1].tolist() == [1, 2]


def test_by_trees_a_score_is_a_probability_which_sources_share_as_they_share_the_weighted_sum() -> None:
    trees = stumps(("popular.strength", 0.75, 1.0, -1.0))
    feed = feed_of(three_items(trees, slope=2.0, offset=0.5), after(history_of(0)))
    assert rows_in(feed) == [2, 1]
    liked, not_liked = 1 / (1 + np.exp(-(2.0 * 1 + 0.5))), 1 / (1 + np.exp(-(2.0 * -1 + 0.5)))
    np.testing.assert_allclose(feed.scores, [liked, not_liked], rtol=1e-6)
    item_item = feed.contributions[:, SourceName.ITEM_ITEM - 1]
    np.testing.assert_allclose(item_item, [liked * 0.5 / 0.75, not_liked * 1 / 1.5], rtol=1e-6)


@pytest.mark.parametrize("engine", [BY_WEIGHTS, BY_TREES], ids=["weights", "trees"])
def test_contributions_sum_to_scores_that_fall(engine: Recommender) -> None:
    for query in varied_queries(40):
        feed = feed_of(engine, query)
        np.testing.assert_allclose(feed.contributions.sum(axis=1), feed.scores, rtol=1e-6)
        assert (feed.contributions >= 0).all()
        assert (feed.scores > 0).all()
        assert (np.diff(feed.scores) <= 0).all()
        assert len(set(feed.numbers.tolist())) == len(feed.numbers)
        assert (feed.sources == 1 + feed.contributions.argmax(axis=1)).all()


@pytest.mark.parametrize("engine", [BY_WEIGHTS, BY_TREES], ids=["weights", "trees"])
def test_a_batch_gives_the_very_feeds_of_its_single_queries(engine: Recommender) -> None:
    queries = varied_queries(60)
    for query, feed in zip(queries, engine.feeds(queries, now=NOW), strict=True):
        assert_same_feed(feed, feed_of(engine, query))


def test_loaded_is_built(tmp_path: Path) -> None:
    BY_TREES.contents.write(tmp_path)
    loaded = engine_of(Contents.read(tmp_path))
    for query in varied_queries(12):
        assert_same_feed(feed_of(BY_TREES, query), feed_of(loaded, query))


@pytest.mark.parametrize(("length", "bucket"), [(0, 0), (1, 1), (2, 1), (3, 2), (9, 2), (10, 3), (15, 3)])
def test_the_length_of_the_history_chooses_the_weights(length: int, bucket: int) -> None:
    strong = np.zeros((4, len(SourceName)), dtype=np.float32)
    strong[:, SourceName.POPULAR - 1] = [1, 2, 4, 8]
    engine = engine_of(replace(checkerboard(N), blend=blend_of(strong)))
    # The most popular item has popularity 1.
    assert feed_of(engine, Query(HOME, 1, history=history_of(*range(length)))).scores.tolist() == [2.0**bucket]


def test_a_source_of_no_weight_takes_no_part() -> None:
    blend = blend_by(item_item=1.0)
    feed = feed_of(engine_of(replace(checkerboard(N), blend=blend)), after(HISTORY))
    assert set(np.flatnonzero(feed.source_ranks.any(axis=0)) + 1) == {SourceName.ITEM_ITEM}
    assert feed.retrieval_mode == "none"


def test_undated_items_and_those_of_the_future_are_not_fresh() -> None:
    items = some_items(5)
    items[1] = replace(items[1], published_at=None)
    items[2] = replace(items[2], published_at=NOW + timedelta(hours=3))
    contents = contents_of(items, popularity=[1, 1, 1, 1, 1], blend=blend_by(popular=1.0, fresh=1.0))
    feed = feed_of(engine_of(contents), Query(HOME.model_copy(update={"freshness_half_life_hours": 1.0}), 5))
    fresh = dict(zip(rows_in(feed), feed.contributions[:, SourceName.FRESH - 1].tolist(), strict=True))
    assert fresh == {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.5**3, 4: 0.5**4}


def test_a_source_that_has_no_say_for_one_person_adds_no_feature_because_it_has_one_for_another() -> None:
    weights = np.ones((4, len(SourceName)), dtype=np.float32)
    weights[0, SourceName.FRESH - 1] = 0
    engine = engine_of(replace(checkerboard(N), blend=blend_of(weights, TREES)))
    newcomer, known = Query(HOME, 5), after(HISTORY)
    assert engine.pool(known, now=NOW).strengths[:, SourceName.FRESH - 1].any()
    assert not engine.pool(newcomer, now=NOW).strengths[:, SourceName.FRESH - 1].any()


def test_a_placement_that_gives_weights_goes_by_them() -> None:
    weights = {"popular": [0.0, 0.0, 0.0, 3.0], "item_item": [0.0, 1.0, 1.0, 1.0]}
    given = Placement.model_validate({"name": "home", "weights": weights})
    assert given.blend == "weights"
    assert Placement(name="home").blend == "learned"
    for history in (history_of(), HISTORY):
        assert_same_feed(feed_of(BY_TREES, after(history, given)), feed_of(PLAIN, after(history, given)))


def test_a_placement_may_give_weights_for_want_of_a_blend_alone() -> None:
    both = Placement.model_validate({"name": "home", "weights": {"popular": [5, 5, 5, 5]}, "blend": "learned"})
    assert_same_feed(feed_of(BY_TREES, after(HISTORY, both)), feed_of(BY_TREES, after(HISTORY)))
    assert rows_in(feed_of(PLAIN, after(HISTORY, both))) != rows_in(feed_of(PLAIN, after(HISTORY)))


def test_by_weights_a_placement_does_without_the_learned_blend() -> None:
    placement = HOME.model_copy(update={"blend": "weights"})
    assert_same_feed(feed_of(BY_TREES, after(HISTORY, placement)), feed_of(PLAIN, after(HISTORY)))
    assert rows_in(feed_of(BY_TREES, after(HISTORY, placement))) != rows_in(feed_of(BY_TREES, after(HISTORY)))


def test_without_any_depth_the_weighted_sum_stands() -> None:
    placement = HOME.model_copy(update={"ranker_depth": 0})
    assert_same_feed(feed_of(BY_TREES, after(HISTORY, placement)), feed_of(BY_WEIGHTS, after(HISTORY)))


@pytest.mark.parametrize("depth", [1, 6, 20])
def test_the_ranker_puts_in_order_what_leads_and_the_rest_follows_as_it_stood(depth: int) -> None:
    placement = HOME.model_copy(update={"ranker_depth": depth})
    weighted, ranked = rows_in(feed_of(BY_WEIGHTS, after(HISTORY))), feed_of(BY_TREES, after(HISTORY, placement))
    rows = rows_in(ranked)
    assert set(rows[:depth]) == set(weighted[:depth])
    assert rows[depth:] == weighted[depth:]
    assert (np.diff(ranked.scores) <= 0).all()


@pytest.mark.parametrize("source", list(SourceName))
def test_a_source_alone_ranks_as_it_does_without_a_blend(source: SourceName) -> None:
    asked = after(HISTORY, sources=frozenset({source}), size=15)
    ours, theirs = feed_of(BY_TREES, asked), feed_of(PLAIN, asked)
    assert rows_in(ours) == rows_in(theirs)
    assert set(ours.sources.tolist()) == {source}


def test_reasons_come_from_what_added_most_and_name_the_history() -> None:
    feed = feed_of(BY_TREES, after(HISTORY, reasons=20))
    assert len(feed.reasons) == 20
    known = set(HISTORY["item"].tolist())
    for place, reason in enumerate(feed.reasons):
        assert reason.source == 1 + feed.contributions[place].argmax()
        assert set(reason.because) <= known
    assert ReasonKind.BECAUSE_OF_HISTORY in {reason.kind for reason in feed.reasons}
    later = BY_TREES.reasons(after(HISTORY), feed.numbers[5:20], feed.sources[5:20], now=NOW)
    assert later == feed.reasons[5:]


def test_what_the_sources_leave_short_is_filled_below_all_probabilities() -> None:
    items = [replace(item, published_at=None) for item in some_items(4)]
    blend = blend_by(stumps(("blend", 0.5, -1.0, 1.0)), item_item=1.0)
    contents = contents_of(items, item_item=[[0, 1, 0.2, 0], *np.zeros((3, 4)).tolist()], popularity=[1, 1, 1, 1], blend=blend)
    feed = feed_of(engine_of(contents), after(history_of(0), size=4))
    assert rows_in(feed) == [1, 2, 3]
    assert feed.scores[2] < feed.scores[1] < feed.scores[0] < 1
    assert feed.sources.tolist() == [SourceName.ITEM_ITEM, SourceName.ITEM_ITEM, SourceName.POPULAR]


def test_the_pool_is_what_a_feed_is_made_of() -> None:
    query = after(HISTORY)
    pool, feed = BY_WEIGHTS.pool(query, now=NOW), feed_of(BY_WEIGHTS, query)
    totals = pool.totals
    order = np.lexsort((pool.rows, -totals))
    assert pool.rows[order][:30].tolist() == rows_in(feed)
    np.testing.assert_array_equal(totals[order][:30], feed.scores)
    assert pool.learned
    assert (pool.strengths >= 0).all()
