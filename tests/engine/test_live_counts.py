"""Counts as of now, in an engine that shares all else with the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import (
    HOME,
    assert_same_feed,
    blend_by,
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

from recommender.engine import Recommender
from recommender.feeds import Query, Reason, ReasonKind, SourceName

SHORT = HOME.model_copy(update={"fallback": "none"})
BY_RESPONSE = Query(SHORT, 6, sources=frozenset({SourceName.RESPONSE}))


def counted(engine: Recommender, **given: list[float]) -> Recommender:
    """The engine with these counts, and the others as they were."""
    names = ("popularity", "recent_popularity", "response")
    return engine.with_counts(*[np.asarray(given.get(name, getattr(engine.contents, name)), dtype=np.float32) for name in names])


def test_items_come_in_order_of_response_and_those_never_shown_not_at_all() -> None:
    engine = engine_of(contents_of(some_items(5), popularity=[9, 1, 1, 1, 9], response=[0.5, 2, 0, 2, 1]))
    assert rows_in(feed_of(engine, BY_RESPONSE)) == [1, 3, 4, 0]


def test_without_impressions_response_changes_no_feed() -> None:
    engine = engine_of(contents_of(some_items(5), popularity=[9, 1, 1, 1, 9]))
    silent = HOME.model_copy(update={"weights": HOME.weights.model_copy(update={"response": (0.0, 0.0, 0.0, 0.0)})})
    assert_same_feed(feed_of(engine, Query(HOME, 5)), feed_of(engine, Query(silent, 5)))


def test_new_counts_are_gone_by_and_the_engine_before_stays_as_it_was() -> None:
    engine = engine_of(contents_of(some_items(3), popularity=[3, 2, 1], response=[1, 2, 3]))
    later = counted(engine, response=[3, 2, 0], popularity=[1, 2, 3])
    assert rows_in(feed_of(later, BY_RESPONSE)) == [0, 1]
    assert rows_in(feed_of(later, Query(SHORT, 3, sources=frozenset({SourceName.POPULAR})))) == [2, 1, 0]
    assert rows_in(feed_of(engine, BY_RESPONSE)) == [2, 1, 0]


def test_an_engine_with_counts_feeds_as_one_made_of_them() -> None:
    trees = stumps(("popularity", 0.1, 1.0, -1.0), ("trend", 0.0, 0.5, -0.5), ("response.strength", 1.0, -0.2, 0.2))
    first = checkerboard()
    blend = blend_by(trees, item_item=1.0, popular=0.2, response=0.3)
    n, names = first.catalogue.n, ("popularity", "recent_popularity", "response")
    new = {name: np.random.default_rng(place).random(n, dtype=np.float32) for place, name in enumerate(names)}
    ours = engine_of(replace(first, blend=blend)).with_counts(**new)
    theirs = engine_of(replace(first, blend=blend, **new))
    for length in (0, 4, 12):
        query = Query(HOME, 20, history=history_of(*range(0, 2 * length, 2)), reasons=5)
        assert_same_feed(feed_of(ours, query), feed_of(theirs, query))


def test_counts_go_together_with_changes_of_the_catalogue() -> None:
    engine = counted(engine_of(contents_of(some_items(3), response=[1, 2, 3])), response=[3, 2, 1]).with_changes([], 7)
    assert engine.change == 7
    assert rows_in(feed_of(engine, BY_RESPONSE)) == [0, 1, 2]


def test_counts_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="response has 2 rows, the catalogue has 3"):
        counted(engine_of(contents_of(some_items(3))), response=[1, 2])


def test_what_responded_well_is_called_popular_where_anybody_took_it_up() -> None:
    engine = engine_of(contents_of(some_items(2), popularity=[1, 0], response=[2, 0.5]))
    feed = feed_of(engine, Query(SHORT, 2, sources=frozenset({SourceName.RESPONSE}), reasons=2))
    assert feed.numbers.tolist() == [number_of(0), number_of(1)]
    assert feed.reasons == (Reason(ReasonKind.POPULAR, SourceName.RESPONSE), Reason(ReasonKind.FILL, SourceName.RESPONSE))
