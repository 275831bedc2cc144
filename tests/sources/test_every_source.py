"""What every source promises, checked on random worlds for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, contents_of, engine_of, number_of, some_items

from recommender.events import EventType
from recommender.feeds import Query
from recommender.generation import Contents
from recommender.people import HISTORY_DTYPE, History
from recommender.profile import BuildSettings
from recommender.sources import NO_OPINION, Batch, Source
from recommender.sources.source import Mask
from recommender.times import to_micros

N = 80
MOMENT = to_micros(NOW)
SOURCES = (
    "content",
    "collaborative",
    "item_item",
    "popular",
    "fresh",
    "transitions",
    "graph",
    "co_occurrence",
    "transfer",
    "response",
    "sequence",
)
IMPERSONAL = ("popular", "fresh", "response")


def random_contents() -> Contents:
    """Items of which each source knows only some; every sixth is undated, rows 1, 11, 21 … are published in the future."""
    rng = np.random.default_rng(3)
    items = some_items(N)
    for row in range(0, N, 6):
        items[row] = replace(items[row], published_at=None)
    for row in range(1, N, 10):
        items[row] = replace(items[row], published_at=NOW + timedelta(hours=row))
    return contents_of(
        items,
        vectors=rng.normal(size=(N, 8)) * (rng.random((N, 1)) < 0.8),
        factors=rng.normal(size=(N, 6)) * (rng.random((N, 1)) < 0.8),
        item_item=random_weights(rng),
        popularity=rng.gamma(1, 2, N) * (rng.random(N) < 0.7),
        response=rng.gamma(1, 2, N) * (rng.random(N) < 0.7),
        transitions=random_weights(rng),
        co_occurrence=random_weights(rng),
        transfer=random_weights(rng),
        graph=rng.normal(size=(N, 6)) * (rng.random((N, 1)) < 0.8),
        sequence=rng.normal(size=(N, 6)) * (rng.random((N, 1)) < 0.8),
    )


def random_weights(rng: np.random.Generator) -> np.ndarray:
    """Weights between items, one in five of any, above and below zero."""
    return rng.normal(size=(N, N)) * (rng.random((N, N)) < 0.2) * (1 - np.eye(N))


CONTENTS = random_contents()
ENGINE = engine_of(CONTENTS)


def random_histories() -> list[History]:
    rng = np.random.default_rng(5)
    histories = []
    for length in (0, 1, 2, 5, 9, 23, 0, 60, 3):
        history = np.zeros(length, dtype=HISTORY_DTYPE)
        history["item"] = [number_of(int(row)) for row in rng.choice(N, length)]
        history["type"] = rng.choice([EventType.CLICK, EventType.LIKE, EventType.DISLIKE, EventType.WATCH], length, p=[0.4, 0.3, 0.1, 0.2])
        history["value"] = np.nan
        histories.append(history)
    return histories


BATCH = Batch.of([Query(HOME, 1, history=history) for history in random_histories()], CONTENTS.catalogue, BuildSettings())
ALLOWED = np.random.default_rng(8).random((BATCH.size, N)) < 0.7
EVERY_ROW = np.tile(np.arange(N, dtype=np.int32), (BATCH.size, 1))


def alone(query: int) -> Batch:
    """The batch of one of the histories."""
    part = BATCH.part(query)
    flat = {name: getattr(BATCH, name)[part] for name in ("rows", "weights", "age", "numbers", "types")}
    return Batch(N, np.array([0, part.stop - part.start]), **flat)


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    return ENGINE.sources[SOURCES.index(request.param)]


def opinions(source: Source, scores: np.ndarray, allowed: Mask) -> Mask:
    return (scores > NO_OPINION) & allowed & source.has_opinion(BATCH)[:, None]


def test_sources_stand_in_the_order_of_their_names() -> None:
    assert [source.name.key for source in ENGINE.sources] == list(SOURCES)
    assert [int(source.name) for source in ENGINE.sources] == list(range(1, 12))


def test_proposes_only_allowed_rows_each_once(source: Source) -> None:
    for limit in (1, 7, 500):
        for line, rows in enumerate(source.prepare(BATCH, MOMENT).candidates(ALLOWED, limit)):
            real = rows[rows >= 0]
            assert len(real) <= limit
            assert len(set(real.tolist())) == len(real)
            assert ALLOWED[line, real].all()


def test_proposes_nothing_where_nothing_is_allowed(source: Source) -> None:
    found = source.prepare(BATCH, MOMENT).candidates(np.zeros_like(ALLOWED), 10)
    assert (found == -1).all()


def test_proposes_exactly_the_best_allowed_rows_by_its_own_score(source: Source) -> None:
    scorer = source.prepare(BATCH, MOMENT)
    scores = scorer.score(EVERY_ROW)
    wanted = opinions(source, scores, ALLOWED)
    # Content proposes by likeness to interests alone and scores less the likeness to what was dismissed.
    limit = N if source.name.key == "content" else 12
    found = scorer.candidates(ALLOWED, limit)
    for line in np.flatnonzero(source.has_opinion(BATCH)):
        rows = found[line][found[line] >= 0]
        best = np.sort(scores[line, wanted[line]])[::-1][:limit]
        np.testing.assert_array_equal(np.sort(scores[line, rows][scores[line, rows] > NO_OPINION])[::-1], best)


def test_has_an_opinion_where_it_says_so(source: Source) -> None:
    scores = source.prepare(BATCH, MOMENT).score(EVERY_ROW)
    said = source.has_opinion(BATCH)
    assert ((scores > NO_OPINION).any(axis=1) >= said).all()
    assert said.any()


def test_has_no_opinion_without_a_history_where_it_goes_by_history(source: Source) -> None:
    empty = Batch.empty(2, N)
    assert source.has_opinion(empty).tolist() == [source.name.key in IMPERSONAL] * 2
    assert source.prepare(empty, MOMENT).candidates(ALLOWED[:2], 5).shape[0] == 2


def test_a_batch_gives_the_very_numbers_of_its_single_queries(source: Source) -> None:
    together = source.prepare(BATCH, MOMENT)
    found, scores = together.candidates(ALLOWED, 9), together.score(EVERY_ROW)
    for query in range(BATCH.size):
        single = source.prepare(alone(query), MOMENT)
        if source.has_opinion(alone(query))[0]:
            np.testing.assert_array_equal(single.candidates(ALLOWED[query : query + 1], 9)[0], found[query])
            np.testing.assert_array_equal(single.score(EVERY_ROW[:1])[0], scores[query])


def test_a_score_does_not_depend_on_what_else_is_scored(source: Source) -> None:
    scorer = source.prepare(BATCH, MOMENT)
    every = scorer.score(EVERY_ROW)
    rows = np.full((BATCH.size, 30), -1, dtype=np.int32)
    for line in range(BATCH.size):
        rows[line, : 3 * line] = np.sort(np.random.default_rng(line).choice(N, 3 * line, replace=False))
    some = scorer.score(rows)
    for line in range(BATCH.size):
        real = rows[line][rows[line] >= 0]
        np.testing.assert_allclose(some[line, : len(real)], every[line, real], rtol=1e-5)


def test_causes_lie_in_the_history_and_shares_between_zero_and_one(source: Source) -> None:
    scorer = source.prepare(BATCH, MOMENT)
    for query in np.flatnonzero(source.has_opinion(BATCH)):
        part = BATCH.part(int(query))
        for cause in scorer.causes(int(query), EVERY_ROW[0]):
            assert 0 <= cause.share <= 1
            assert bool(cause.places) == (cause.share > 0)
            assert all(0 <= place < part.stop - part.start for place in cause.places)
            assert all(BATCH.weights[part][place] > 0 for place in cause.places)


def test_what_scores_by_history_has_a_cause_in_it(source: Source) -> None:
    scorer = source.prepare(BATCH, MOMENT)
    scores = scorer.score(EVERY_ROW)
    personal = source.name.key not in IMPERSONAL
    all_liked = BATCH.counts(~BATCH.positive) == 0
    for query in np.flatnonzero(source.has_opinion(BATCH) & all_liked):
        rows = np.flatnonzero(scores[query] > NO_OPINION)
        assert len(rows)
        assert all(bool(cause.places) == personal for cause in scorer.causes(int(query), rows.astype(np.int32)))
