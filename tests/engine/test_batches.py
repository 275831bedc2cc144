"""Many queries at once are answered exactly as each alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from handmade import HOME, NOW, assert_same_feed, checkerboard, engine_of, feed_of, history_of, number_of, some_items
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query, SourceName
from recommender.items import ItemKind
from recommender.people import HISTORY_DTYPE

N = 60


def varied_engine() -> Recommender:
    items = [
        replace(
            item,
            kind=ItemKind(1 + row % 3),
            language=["en", "de", ""][row % 3],
            categories=("a",) if row % 4 else ("a", "b"),
            price=float(row),
        )
        for row, item in enumerate(some_items(N))
    ]
    return engine_of(checkerboard(N, items))


ENGINE = varied_engine()


def varied_queries(count: int, *, seed: int = 0) -> list[Query]:
    """Queries that differ in everything that a query can say."""
    rng = np.random.default_rng(seed)
    placements = [
        HOME,
        HOME.model_copy(update={"name": "narrow", "candidates": 10, "rank_constant": 5.0}),
        HOME.model_copy(update={"name": "again", "repeat": "allowed", "fallback": "fresh"}),
        HOME.model_copy(update={"name": "short", "fallback": "none", "kinds": frozenset({ItemKind.MEDIA, ItemKind.PRODUCT})}),
    ]
    queries = []
    for at in range(count):
        history = np.zeros(int(rng.choice([0, 0, 1, 2, 4, 11, 40])), dtype=HISTORY_DTYPE)
        history["item"] = [number_of(int(row)) for row in rng.integers(0, N + 5, len(history))]
        history["type"] = rng.choice([EventType.CLICK, EventType.LIKE, EventType.DISLIKE, EventType.WATCH], len(history))
        history["value"] = rng.choice([np.nan, 0.3, 1.0], len(history))
        queries.append(
            Query(
                placements[at % 4],
                size=int(rng.integers(1, 50)),
                history=history,
                consumed=BitMap(history["item"]),
                dismissed=BitMap(history["item"][history["type"] == EventType.DISLIKE]),
                exclude=tuple(number_of(int(row)) for row in rng.integers(0, N, 3)),
                candidates=None if at % 5 else np.array([number_of(int(row)) for row in rng.integers(0, N, 20)], dtype=np.uint32),
                kinds=frozenset({ItemKind.MEDIA}) if at % 7 == 0 else frozenset(),
                language=["", "en", "de"][at % 3],
                filter="price < 40.0" if at % 6 == 0 else "",
                category="b" if at % 9 == 0 else "",
                sources=[None, frozenset({SourceName.CONTENT, SourceName.FRESH}), frozenset({SourceName.COLLABORATIVE}), None][
                    int(rng.integers(4))
                ],
                reasons=int(rng.integers(0, 6)),
                seeds_are_items=at % 11 == 0,
            )
        )
    return queries


def test_a_batch_gives_the_very_feeds_of_its_single_queries() -> None:
    queries = varied_queries(120)
    together = ENGINE.feeds(queries, now=NOW)
    assert len(together) == len(queries)
    for query, feed in zip(queries, together, strict=True):
        assert_same_feed(feed, feed_of(ENGINE, query))


def test_the_order_of_queries_does_not_matter() -> None:
    queries = varied_queries(30, seed=1)
    forwards, backwards = ENGINE.feeds(queries, now=NOW), ENGINE.feeds(queries[::-1], now=NOW)
    for ours, theirs in zip(forwards, backwards[::-1], strict=True):
        assert_same_feed(ours, theirs)


def test_no_queries_no_feeds() -> None:
    assert ENGINE.feeds([], now=NOW) == []


def test_what_every_feed_promises() -> None:
    for query in varied_queries(80, seed=3):
        feed = feed_of(ENGINE, query)
        n = len(feed.numbers)
        assert n == len(set(feed.numbers.tolist())) <= query.size
        assert feed.contributions.shape == feed.source_ranks.shape == (n, len(SourceName))
        assert feed.scores.shape == feed.sources.shape == feed.probabilities.shape == (n,)
        np.testing.assert_allclose(feed.contributions.sum(axis=1), feed.scores, rtol=1e-6)
        assert (feed.scores > 0).all()
        assert (feed.contributions >= 0).all()
        steps = np.diff(feed.scores)
        assert (steps <= 0).all()
        ranked = feed.source_ranks.any(axis=1)
        ties = (steps == 0) & ranked[1:] & ranked[:-1]
        assert (feed.numbers[1:][ties] > feed.numbers[:-1][ties]).all()
        assert (feed.probabilities == 1).all()
        assert len(feed.reasons) == min(query.reasons, n)
        assert (feed.contributions[np.arange(n), feed.sources - 1] == feed.contributions.max(axis=1)).all()
        assert feed.eligible >= n
        assert ENGINE.eligible(query, feed.numbers, now=NOW).all()
        if query.placement.fallback != "none" or query.candidates is not None:
            assert n == min(query.size, feed.eligible)


def test_source_ranks_are_places_among_the_candidates_and_make_the_contributions() -> None:
    query = Query(HOME, 40, history=history_of(0, 2, 5, 8))
    feed = feed_of(ENGINE, query)
    weights = np.array([getattr(HOME.weights, name.key) for name in SourceName])
    expected = np.where(feed.source_ranks > 0, weights[:, 2] / (HOME.rank_constant + np.maximum(feed.source_ranks, 1)), 0)
    hours = (feed.numbers.astype(np.int64) - 10) / 3
    expected[:, 4] *= 0.5 ** (hours / HOME.freshness_half_life_hours)
    np.testing.assert_allclose(feed.contributions, expected, rtol=1e-5)
    for place in range(len(SourceName)):
        given = feed.source_ranks[:, place][feed.source_ranks[:, place] > 0]
        assert len(given)
        assert len(set(given.tolist())) == len(given)
