"""Content by interests: what is near in meaning to a history, without anybody else's events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import HOME, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items, unit
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query, ReasonKind, SourceName
from recommender.people import History
from recommender.profile import BuildSettings, Content
from recommender.sources import NO_OPINION, Past
from recommender.vectors import VectorIndex

CONTENT_ONLY = frozenset({SourceName.CONTENT})
SHORT = HOME.model_copy(update={"fallback": "none"})
AXES = np.repeat(np.eye(4), 5, axis=0) + 0.05 * np.random.default_rng(1).normal(size=(20, 4))
"""Five items on each of four themes: rows 0 to 4 on the first, 5 to 9 on the second, and so on."""


def axes_engine(**content: float) -> Recommender:
    return engine_of(contents_of(some_items(20), vectors=AXES), BuildSettings(content=Content(**content)))  # type: ignore[arg-type]


def scores_of(engine: Recommender, history: History) -> np.ndarray:
    past = Past.of(Query(HOME, 1, history=history), engine.contents.catalogue, engine.settings)
    return engine.sources[0].prepare(past, 0).score(np.arange(20, dtype=np.int32))


def test_neighbours_of_one_item_come_in_the_order_of_their_cosines() -> None:
    engine = axes_engine()
    feed = feed_of(engine, Query(SHORT, 20, history=history_of(7), sources=CONTENT_ONLY))
    cosines = unit(AXES) @ unit(AXES)[7]
    positive = np.flatnonzero(cosines > 0.01)
    best = positive[np.argsort(-cosines[positive])]
    assert rows_in(feed)[: len(best)] == best.tolist()


def test_every_interest_has_its_say() -> None:
    feed = feed_of(axes_engine(), Query(SHORT, 12, history=history_of(0, 1, 5, 6, 10, 11), sources=CONTENT_ONLY))
    themes = {row // 5 for row in rows_in(feed)[:12]}
    assert themes == {0, 1, 2}


def test_no_more_interests_than_allowed() -> None:
    history = history_of(0, 5, 10, 15)
    past = Past.of(Query(HOME, 1, history=history), axes_engine().contents.catalogue, BuildSettings())
    for most in (1, 2, 3):
        scorer = axes_engine(interests=most).sources[0].prepare(past, 0)
        assert len(scorer.vectors) == most


def test_items_alike_share_an_interest_and_others_do_not() -> None:
    history = history_of(0, 1, 5)
    past = Past.of(Query(HOME, 1, history=history), axes_engine().contents.catalogue, BuildSettings())
    assert axes_engine(same_interest=0.5).sources[0].prepare(past, 0).group.tolist() == [1, 1, 0]
    assert axes_engine(same_interest=-1).sources[0].prepare(past, 0).group.tolist() == [0, 0, 0]


def test_the_stronger_interest_scores_higher() -> None:
    scores = scores_of(axes_engine(), np.concatenate([history_of(0, 1, 2, 3), history_of(5, type=EventType.VIEW)]))
    assert scores[4] > scores[6]


def test_what_was_disliked_pushes_its_like_down() -> None:
    liked = scores_of(axes_engine(), history_of(0, 5))
    mixed = scores_of(axes_engine(), np.concatenate([history_of(6, type=EventType.DISLIKE), history_of(0, 5)]))
    assert (mixed[[7, 8, 9]] < liked[[7, 8, 9]]).all()
    assert scores_of(axes_engine(), history_of(0, 5, type=EventType.DISLIKE)).tolist() == [NO_OPINION] * 20


def test_an_item_without_a_vector_is_neither_proposed_nor_an_interest() -> None:
    vectors = AXES.copy()
    vectors[[1, 9]] = 0
    engine = engine_of(contents_of(some_items(20), vectors=vectors))
    feed = feed_of(engine, Query(SHORT, 20, history=history_of(0, 5), sources=CONTENT_ONLY))
    assert 2 in rows_in(feed)
    assert not {1, 9} & set(rows_in(feed))
    assert rows_in(feed_of(engine, Query(SHORT, 20, history=history_of(1), sources=CONTENT_ONLY))) == []


def test_a_cold_item_is_reached_through_its_text_alone() -> None:
    popularity, factors = (np.arange(20) < 5).astype(float), np.repeat(np.eye(4), 5, axis=0)
    popularity[3] = factors[3] = 0
    engine = engine_of(contents_of(some_items(20), vectors=AXES, factors=factors, popularity=popularity))
    feed = feed_of(engine, Query(HOME, 8, history=history_of(0, 1, 2), consumed=BitMap(map(number_of, (0, 1, 2))), reasons=8))
    assert rows_in(feed)[:2] == [4, 3]
    reason = feed.reasons[1]
    assert (reason.kind, reason.source) == (ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT)


def test_the_cause_is_a_member_of_the_interest_that_the_item_fits() -> None:
    feed = feed_of(axes_engine(), Query(SHORT, 10, history=history_of(0, 5), sources=CONTENT_ONLY, reasons=10))
    for row, reason in zip(rows_in(feed), feed.reasons, strict=True):
        if row // 5 in (0, 1):
            assert reason.because == (number_of(row // 5 * 5),)
            assert reason.share == pytest.approx(1)


def test_a_twin_of_the_liked_item_comes_first() -> None:
    vectors = AXES.copy()
    vectors[17] = vectors[2]
    engine = engine_of(contents_of(some_items(20), vectors=vectors))
    feed = feed_of(engine, Query(SHORT, 5, history=history_of(2), consumed=BitMap([number_of(2)]), sources=CONTENT_ONLY))
    assert rows_in(feed)[0] == 17


def many_engine(near: int) -> Recommender:
    """Six thousand items in thirty directions, whose nearest are kept or not."""
    rng = np.random.default_rng(2)
    vectors = unit(np.repeat(rng.normal(size=(30, 16)), 200, axis=0) + 0.3 * rng.normal(size=(6_000, 16)))
    index = VectorIndex.build(vectors, exact_limit=0, seed=0, near=near)
    return engine_of(replace(contents_of(some_items(6_000)), vectors=index, has_vector=np.ones(6_000, dtype=np.bool_)))


def test_lists_of_what_is_near_bring_about_what_a_search_would() -> None:
    gathering, searching = many_engine(100), many_engine(0)
    query = Query(SHORT, 30, history=history_of(5, 210, 220, 230), sources=CONTENT_ONLY)
    by_lists, by_search = feed_of(gathering, query), feed_of(searching, query)
    assert (by_lists.retrieval_mode, by_search.retrieval_mode) == ("lists", "index")
    assert len(set(rows_in(by_lists)) & set(rows_in(by_search))) >= 20


@pytest.mark.parametrize("limit", [0, 1, 30, 99, 5_000])
def test_of_what_is_near_the_best_are_proposed_and_of_equals_the_first(limit: int) -> None:
    """Four of a kind each, so that cuts fall between equals."""
    rng = np.random.default_rng(3)
    vectors = unit(np.repeat(rng.normal(size=(1_500, 16)), 4, axis=0))
    index = VectorIndex.build(vectors, exact_limit=0, seed=0, near=100)
    contents = replace(contents_of(some_items(6_000)), vectors=index, has_vector=np.ones(6_000, dtype=np.bool_))
    engine = engine_of(contents)
    history = np.concatenate([history_of(3, 900, 901, 4_000), history_of(2_000, type=EventType.DISLIKE)])
    past = Past.of(Query(HOME, 1, history=history), contents.catalogue, engine.settings)
    scorer = engine.sources[0].prepare(past, 0)
    allowed = rng.random(6_000) < 0.7
    near = np.unique(index.near[[3, 900, 901, 4_000]])
    near = near[(near >= 0) & allowed[np.maximum(near, 0)]]
    fits = (index.cosines(near.astype(np.int32), scorer.vectors) * scorer.strengths).max(axis=1)
    best = near[np.lexsort((near, -fits))][:limit]
    assert sorted(scorer.candidates(allowed, limit).tolist()) == sorted(best.tolist())
    assert len(best) == min(limit, len(near))


def test_interests_and_scores_are_those_of_the_definition() -> None:
    history = np.concatenate([history_of(0, 5, 1, 10, 6), history_of(16, 17, type=EventType.DISLIKE), history_of(2, 11)])
    history["at"] = np.arange(len(history))
    engine = axes_engine(history_decay=0.8, interests=2)
    past = Past.of(Query(HOME, 1, history=history), engine.contents.catalogue, engine.settings)
    scorer = engine.sources[0].prepare(past, 0)
    vectors = unit(AXES).astype(np.float16).astype(np.float64)
    weights = past.weights * 0.8**past.age
    # The newest lead: row 11 and then row 2; row 6 and row 5 join whom they are more like.
    joins = (vectors[past.rows] @ vectors[[11, 2]].T).argmax(axis=1)
    assert scorer.group.tolist() == np.where(weights > 0, joins, -1).tolist()
    sums = np.array([(weights * (scorer.group == group)) @ vectors[past.rows] for group in range(2)])
    totals = np.array([weights[scorer.group == group].sum() for group in range(2)])
    interests, strengths = sums / np.linalg.norm(sums, axis=1, keepdims=True), (totals / totals.sum()) ** 0.25
    against = np.maximum(-weights, 0) @ vectors[past.rows] / np.abs(weights).sum()
    for made, expected in ((scorer.vectors, interests), (scorer.strengths, strengths), (scorer.against, against)):
        np.testing.assert_allclose(made, expected, atol=1e-6)
    expected = ((vectors @ interests.T) * strengths).max(axis=1) - vectors @ against
    np.testing.assert_allclose(scorer.score(np.arange(20, dtype=np.int32)), np.where(expected > 0, expected, -np.inf), atol=1e-6)


@pytest.mark.parametrize("broken", [3, 9, 16])
def test_a_vector_that_is_no_number_is_found_out(broken: int) -> None:
    """In an interest, among what was disliked, and in a candidate."""
    vectors = AXES.copy()
    index = VectorIndex.build(unit(vectors), exact_limit=10**6, seed=0)
    index.halves[broken, 2] = np.array(np.nan, dtype=np.float16).view(np.int16)
    engine = engine_of(replace(contents_of(some_items(20), vectors=vectors), vectors=index))
    history = np.concatenate([history_of(3), history_of(9, type=EventType.DISLIKE)])
    past = Past.of(Query(HOME, 1, history=history), engine.contents.catalogue, engine.settings)
    others = np.setdiff1d(np.arange(20, dtype=np.int32), past.rows)
    with pytest.raises(FloatingPointError, match="no number"):
        engine.sources[0].prepare(past, 0).score(others)


def test_where_lists_fall_short_there_is_a_search() -> None:
    engine = many_engine(100)
    allowed = np.array([number_of(row) for row in range(0, 6_000, 7)], dtype=np.uint32)
    feed = feed_of(engine, Query(SHORT, 30, history=history_of(5), candidates=allowed, sources=CONTENT_ONLY))
    assert feed.retrieval_mode == "exact"
    assert len(feed.numbers) == 30
