"""Features of candidates: worked out by hand, and the same in training as in serving."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from handmade import HOME, NOW, blend_by, checkerboard, contents_of, engine_of, feed_of, history_of, rows_in, some_items, stumps
from heldout import held_out, of_both_sides

from indexing.blending.samples import query_of
from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query, SourceName
from recommender.generation import Contents
from recommender.judging import HeldOut
from recommender.people import History
from recommender.profile import BuildSettings
from recommender.ranking import FEATURES, MONOTONE, Pool, features
from recommender.sources import Past
from recommender.times import DAY_US, MISSING_TIME, from_micros, to_micros

MOMENT = to_micros(NOW)
PLACES = {name: place for place, name in enumerate(FEATURES)}
SOURCES = len(SourceName)


def three_items() -> Contents:
    """Of categories a, a and b, and b, by authors x, x and y; the second has no date, the third comes out in an hour."""
    items = some_items(3)
    items[0] = replace(items[0], categories=("a",), author="x", published_at=NOW - timedelta(hours=1))
    items[1] = replace(items[1], categories=("a", "b"), author="x", published_at=None)
    items[2] = replace(items[2], categories=("b",), author="y", published_at=NOW + timedelta(hours=1))
    vectors = [[1, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 1, 0, 0]]
    return replace(
        contents_of(items, vectors=vectors, popularity=[0, 3, 7]),
        recent_popularity=np.array([1, 0, 0], dtype=np.float32),
        first_at=np.array([MOMENT - 2 * DAY_US, MISSING_TIME, MOMENT + 5], dtype=np.int64),
    )


CONTENTS = three_items()
# A whole film and then a quarter of one: shares 1 / 1.25 and 0.25 / 1.25.
WATCHED = np.concatenate([history_of(0, type=EventType.WATCH, value=1.0), history_of(2, type=EventType.WATCH, value=0.25)])
WATCHED["at"] = [0, 1]


def made_for(history: History, contents: Contents = CONTENTS, **changed: Any) -> dict[str, np.ndarray]:
    """The features of all items after a history, by name."""
    n = contents.catalogue.n
    past = Past.of(Query(HOME, 1, history=history), contents.catalogue, BuildSettings())
    given: dict[str, Any] = {
        "blended": np.zeros(n, dtype=np.float32),
        "strength": np.zeros((n, SOURCES), dtype=np.float32),
        "source_ranks": np.zeros((n, SOURCES), dtype=np.int32),
        **changed,
    }
    made = features(contents.facts, past, np.arange(n, dtype=np.int32), **given, now=MOMENT)
    assert made.shape == (n, len(FEATURES))
    assert made.dtype == np.float32
    return {name: made[:, place] for name, place in PLACES.items()}


HALF = 5e-4
"""Vectors are kept in half precision."""


def close(given: np.ndarray, *expected: float, within: float = 1e-5) -> None:
    np.testing.assert_allclose(given, expected, rtol=within, atol=1e-6)


def test_what_sources_say_stands_as_strengths_and_as_shares_of_a_rank_constant() -> None:
    rng = np.random.default_rng(0)
    strength = rng.random((3, SOURCES)).astype(np.float32)
    source_ranks = np.arange(3 * SOURCES, dtype=np.int32).reshape(3, SOURCES)
    made = made_for(WATCHED, blended=np.array([0.4, 2, 0], dtype=np.float32), strength=strength, source_ranks=source_ranks)
    close(made["blend"], 0.4, 2, 0)
    close(made["blend_share"], 0.4 / 2, 1, 0)
    for place, name in enumerate(SourceName):
        np.testing.assert_array_equal(made[f"{name.key}.strength"], strength[:, place])
        first = 10 / (10 + place) if place else 0
        close(made[f"{name.key}.rank"], first, 10 / (10 + SOURCES + place), 10 / (10 + 2 * SOURCES + place))


def test_popularity_is_a_logarithm_and_the_trend_that_of_recent_over_lasting_shares() -> None:
    made = made_for(WATCHED)
    close(made["popularity"], np.log(1), np.log(4), np.log(8))
    shares = [(1.001 / 1) / (0.001 / 10), (0.001 / 1) / (3.001 / 10), (0.001 / 1) / (7.001 / 10)]
    close(made["trend"], *np.log(shares))


def test_ages_are_logarithms_and_missing_where_there_is_no_date() -> None:
    made = made_for(WATCHED)
    close(made["age_hours"], np.log(1 + 1), np.nan, np.log(1 + 0))
    close(made["known_days"], np.log(1 + 2), np.nan, np.log(1 + 0))


def test_affinities_are_the_shares_of_the_history_that_are_of_the_same_kind() -> None:
    made = made_for(WATCHED)
    close(made["history_length"], *[np.log(1 + 2)] * 3)
    # Item 1 is half of a, half of b.
    close(made["category_affinity"], 0.8, 0.5 * 0.8 + 0.5 * 0.2, 0.2)
    close(made["author_affinity"], 0.8, 0.8, 0.2)


def test_likenesses_are_cosines_to_the_last_to_the_nearest_and_to_the_mean() -> None:
    made = made_for(WATCHED)
    close(made["likeness_to_last"], 0, 0.8, 1, within=HALF)
    close(made["likeness_to_recent"], 1, 0.8, 1, within=HALF)
    length = np.hypot(0.8, 0.2)
    close(made["likeness_to_all"], 0.8 / length, (0.6 * 0.8 + 0.8 * 0.2) / length, 0.2 / length, within=HALF)


def test_only_the_newest_five_are_recent() -> None:
    contents = contents_of(some_items(7), vectors=np.eye(7))
    made = made_for(history_of(*range(7)), contents)
    close(made["likeness_to_recent"], 0, 0, 1, 1, 1, 1, 1)
    close(made["likeness_to_last"], 0, 0, 0, 0, 0, 0, 1)


def test_what_was_disliked_is_no_part_of_the_history() -> None:
    both = np.concatenate([history_of(1, type=EventType.DISLIKE), WATCHED])
    liked, mixed = made_for(WATCHED), made_for(both)
    for name in FEATURES:
        np.testing.assert_array_equal(mixed[name], liked[name], err_msg=name)


def test_without_a_history_there_are_no_affinities_and_likenesses_are_missing() -> None:
    made = made_for(history_of())
    for name in ("history_length", "category_affinity", "author_affinity"):
        close(made[name], 0, 0, 0)
    for name in ("likeness_to_last", "likeness_to_recent", "likeness_to_all"):
        assert np.isnan(made[name]).all()


def test_without_vectors_likenesses_are_missing_for_history_and_candidates() -> None:
    half = contents_of(some_items(3), vectors=[[1, 0, 0, 0], [0, 0, 0, 0], [0.6, 0.8, 0, 0]])
    close(made_for(history_of(0, 1), half)["likeness_to_last"], 1, np.nan, 0.6, within=HALF)
    assert np.isnan(made_for(history_of(1), half)["likeness_to_all"]).all()
    assert np.isnan(made_for(history_of(0), contents_of(some_items(3)))["likeness_to_all"]).all()


def test_items_without_an_author_share_none() -> None:
    close(made_for(history_of(0, 1), contents_of(some_items(3)))["author_affinity"], 0, 0, 0)


def test_features_do_not_depend_on_which_other_candidates_there_are() -> None:
    contents = checkerboard(40)
    past = Past.of(Query(HOME, 1, history=history_of(0, 2, 5)), contents.catalogue, BuildSettings())

    def of(rows: np.ndarray) -> np.ndarray:
        n = len(rows)
        nothing = np.zeros((n, SOURCES), dtype=np.int32)
        return features(contents.facts, past, rows, np.zeros(n, np.float32), nothing.astype(np.float32), nothing, now=MOMENT)

    every = of(np.arange(40, dtype=np.int32))
    some = np.array([3, 8, 21, 30], dtype=np.int32)
    np.testing.assert_allclose(of(some), every[some], rtol=1e-5)
    assert of(some[:0]).shape == (0, len(FEATURES))


def test_only_the_blend_must_never_lower_a_score() -> None:
    assert {name: sign for name, sign in zip(FEATURES, MONOTONE, strict=True) if sign} == {"blend": 1, "blend_share": 1}
    assert len(set(FEATURES)) == len(FEATURES)


class Recording(Recommender):
    """An engine that keeps the features that it served with."""

    seen: list[np.ndarray]

    def features(self, *arguments: Any, **more: Any) -> np.ndarray:
        made = super().features(*arguments, **more)
        self.seen.append(made)
        return made


TREES = stumps(
    ("item_item.strength", 0.7, -0.3, 0.4),
    ("likeness_to_all", 0.9, -0.2, 0.5),
    ("popularity", 0.05, 0.0, 0.3),
    ("graph.rank", 0.8, -0.1, 0.2),
    ("age_hours", 3.0, 0.1, -0.1),
    ("blend", 0.6, -0.25, 0.15),
)
BLEND = blend_by(TREES, item_item=1.0, graph=0.5, content=0.3, popular=0.2, fresh=0.1)
PEOPLE = of_both_sides(30)


def pools(engine: Recommender, held_out: HeldOut) -> list[Pool]:
    """The candidates of all held-out people."""
    return [engine.pool(query_of(held_out, place, HOME), now=from_micros(held_out.cut)) for place in range(len(held_out))]


def trained_on(engine: Recommender, depth: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of the leading candidates of every held-out person and their features, as a ranker is taught them."""
    lists = []
    for pool in pools(engine, PEOPLE):
        totals = pool.added.sum(axis=1)
        real = np.flatnonzero(totals > 0)
        leading = real[np.argsort(-totals[real], kind="stable")][:depth]
        lists.append((pool.rows[leading], Recommender.features(engine, pool, leading, now=from_micros(PEOPLE.cut))))
    return lists


def asked(depth: int) -> list[Query]:
    placement = HOME.model_copy(update={"ranker_depth": depth})
    people = zip(PEOPLE.histories, PEOPLE.consumed, PEOPLE.dismissed, strict=True)
    return [Query(placement, 40, history=h, consumed=consumed, dismissed=dismissed) for h, consumed, dismissed in people]


@pytest.mark.parametrize("depth", [5, 200])
def test_the_ranker_is_served_the_very_features_that_it_is_taught(depth: int) -> None:
    engine = Recording.unpublished(replace(checkerboard(), blend=BLEND), BuildSettings())
    assert isinstance(engine, Recording)
    engine.seen = []
    engine.feeds(asked(depth), now=from_micros(PEOPLE.cut))
    taught = [made for _, made in trained_on(engine, depth)]
    assert len(engine.seen) == len(taught) == len(PEOPLE)
    for served, made in zip(engine.seen, taught, strict=True):
        np.testing.assert_array_equal(served, made)


def test_a_feed_is_in_the_order_of_the_trees_scores_of_these_features() -> None:
    engine = engine_of(replace(checkerboard(), blend=BLEND))
    feeds = engine.feeds(asked(200), now=from_micros(PEOPLE.cut))
    for feed, (rows, made) in zip(feeds, trained_on(engine, 200), strict=True):
        score_of = dict(zip(rows.tolist(), TREES.score(made).astype(np.float64).tolist(), strict=True))
        ranked = rows_in(feed)[: len(rows)]
        assert set(ranked) == set(rows.tolist())
        scores = np.array([score_of[row] for row in ranked])
        assert len(set(scores.tolist())) > 3
        assert (np.diff(scores) <= 0).all()
        np.testing.assert_allclose(feed.scores[: len(rows)], 1 / (1 + np.exp(-scores)), rtol=1e-5)


def test_history_at_the_moment_of_the_cut_is_what_a_feed_goes_by() -> None:
    person = held_out((history_of(0, 2), [4]))
    engine = engine_of(replace(checkerboard(), blend=BLEND))
    [pool] = pools(engine, person)
    query = Query(HOME, 40, history=person.histories[0], consumed=person.consumed[0])
    fed = feed_of(engine, query, now=from_micros(person.cut))
    assert set(rows_in(fed)) == set(pool.rows.tolist()) == set(range(40)) - {0, 2}
