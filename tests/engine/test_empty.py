"""An empty generation answers everything with nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from handmade import HOME, NOW, contents_of, engine_of, feed_of, history_of
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.feeds import Query, SourceName
from recommender.generation import Contents
from recommender.items import ItemKind


@pytest.fixture(params=["built", "loaded"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Recommender:
    contents = contents_of([])
    if request.param == "loaded":
        contents.write(tmp_path)
        contents = Contents.read(tmp_path)
    return engine_of(contents)


QUERIES = [
    Query(HOME, 10),
    Query(HOME, 10, history=history_of(1, 2), consumed=BitMap([1, 2]), dismissed=BitMap([3]), exclude=(4,), reasons=5),
    Query(HOME, 10, kinds=frozenset({ItemKind.MEDIA}), language="en", category="news", filter="price < 3.0 && 'a' in tags"),
    Query(HOME, 10, filter="published_at < now"),
    Query(HOME, 10, sources=frozenset(SourceName), candidates=np.array([1, 2], dtype=np.uint32)),
    Query(HOME, 10, history=history_of(1), seeds_are_items=True),
    Query(HOME.model_copy(update={"fallback": "fresh"}), 10),
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_every_question_gets_an_empty_feed(engine: Recommender, query: Query) -> None:
    feed = feed_of(engine, query)
    assert len(feed.numbers) == len(feed.scores) == feed.eligible == 0
    assert feed.contributions.shape == feed.source_ranks.shape == (0, len(SourceName))
    assert (feed.reasons, feed.degraded) == ((), ())


def test_a_batch_of_all_of_them_too(engine: Recommender) -> None:
    assert [len(feed.numbers) for feed in engine.feeds(QUERIES, now=NOW)] == [0] * len(QUERIES)


def test_nothing_is_known_or_eligible(engine: Recommender) -> None:
    numbers, unknown = engine.numbers_of(["a", "b"])
    assert (numbers.tolist(), unknown) == ([], ["a", "b"])
    assert engine.eligible(Query(HOME, 1), np.array([0, 5], dtype=np.uint32), now=NOW).tolist() == [False, False]
    assert engine.cards(np.zeros(0, dtype=np.uint32)) == []
    assert engine.with_changes([], 3).change == 3


def test_one_item_without_any_figure_can_be_shown(engine: Recommender) -> None:
    from handmade import number_of, some_items

    feed = feed_of(engine_of(contents_of(some_items(1))), Query(HOME, 10, history=history_of(0), reasons=1))
    assert feed.numbers.tolist() == [number_of(0)]
