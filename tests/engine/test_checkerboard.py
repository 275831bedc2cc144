"""People like either the even or the odd items: feeds lean to the right side, whatever makes them."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import HOME, NOW, PERSONAL, checkerboard, engine_of, feed_of, history_of, number_of, rows_in
from pyroaring import BitMap

from recommender.events import EventType
from recommender.feeds import Query, SourceName

ENGINE = engine_of(checkerboard())
POPULAR_ORDER = list(range(40))


@pytest.mark.parametrize("source", PERSONAL)
@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("length", [1, 2, 5, 12])
def test_every_personal_source_alone_shows_the_right_side(source: SourceName, parity: int, length: int) -> None:
    seen = range(parity, 2 * length, 2)
    query = Query(HOME, 8, history=history_of(*seen), consumed=BitMap(map(number_of, seen)), sources=frozenset({source}))
    feed = feed_of(ENGINE, query)
    assert len(feed.numbers) == 8
    assert {row % 2 for row in rows_in(feed)} == {parity}


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("length", [1, 3, 12])
def test_the_blend_leans_to_the_right_side(parity: int, length: int) -> None:
    seen = range(parity, 2 * length, 2)
    feed = feed_of(ENGINE, Query(HOME, 10, history=history_of(*seen), consumed=BitMap(map(number_of, seen))))
    assert sum(row % 2 == parity for row in rows_in(feed)) >= 8


def test_somebody_new_gets_what_is_popular() -> None:
    placement = HOME.model_copy(update={"weights": HOME.weights.model_copy(update={"fresh": (0.0,) * 4, "response": (0.0,) * 4})})
    feed = feed_of(ENGINE, Query(placement, 10))
    assert rows_in(feed) == POPULAR_ORDER[:10]
    assert set(feed.sources.tolist()) == {SourceName.POPULAR}
    assert feed.retrieval_mode == "none"


def test_a_history_of_unknown_items_is_no_history() -> None:
    unknown = feed_of(ENGINE, Query(HOME, 10, history=history_of(500, 10**6)))
    assert rows_in(unknown) == rows_in(feed_of(ENGINE, Query(HOME, 10)))


def test_unknown_items_in_a_history_change_nothing() -> None:
    known = history_of(1, 3)
    mixed = np.concatenate([history_of(700), known, history_of(800)])
    assert rows_in(feed_of(ENGINE, Query(HOME, 20, history=mixed))) == rows_in(feed_of(ENGINE, Query(HOME, 20, history=known)))


def test_a_history_of_dislikes_alone_gives_an_impersonal_feed() -> None:
    disliked = Query(HOME, 10, history=history_of(1, 3, type=EventType.DISLIKE))
    assert rows_in(feed_of(ENGINE, disliked)) == rows_in(feed_of(ENGINE, Query(HOME, 10)))


def test_the_first_click_turns_the_feed() -> None:
    before = rows_in(feed_of(ENGINE, Query(HOME, 10)))
    after = rows_in(feed_of(ENGINE, Query(HOME, 10, history=history_of(5, type=EventType.CLICK))))
    assert sum(row % 2 for row in after) > sum(row % 2 for row in before)


def test_like_this_but_not_like_that() -> None:
    seeds = np.concatenate([history_of(4), history_of(7, type=EventType.DISLIKE)])
    feed = feed_of(ENGINE, Query(HOME, 10, history=seeds, sources=frozenset(PERSONAL), seeds_are_items=True))
    assert {row % 2 for row in rows_in(feed)} == {0}
    assert not {4, 7} & set(rows_in(feed))


def test_the_same_question_gets_the_same_answer() -> None:
    query = Query(HOME, 30, history=history_of(2, 3, 8), reasons=30)
    first, second = (ENGINE.feeds([query], now=NOW)[0] for _ in range(2))
    other = feed_of(engine_of(checkerboard()), query)
    for feed in (second, other):
        np.testing.assert_array_equal(first.numbers, feed.numbers)
        np.testing.assert_array_equal(first.contributions, feed.contributions)
        assert first.reasons == feed.reasons
