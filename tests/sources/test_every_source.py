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
from recommender.sources import NO_OPINION, Past, Source
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


PASTS = [Past.of(Query(HOME, 1, history=history), CONTENTS.catalogue, BuildSettings()) for history in random_histories()]
ALLOWED = np.random.default_rng(8).random((len(PASTS), N)) < 0.7
EVERY_ROW = np.arange(N, dtype=np.int32)


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    return ENGINE.sources[SOURCES.index(request.param)]


def heard(source: Source) -> list[tuple[Past, np.ndarray]]:
    """The histories of which the source can say something, and what is allowed to each."""
    return [(past, allowed) for past, allowed in zip(PASTS, ALLOWED, strict=True) if source.has_opinion(past)]


def test_sources_stand_in_the_order_of_their_names() -> None:
    assert [source.name.key for source in ENGINE.sources] == list(SOURCES)
    assert [int(source.name) for source in ENGINE.sources] == list(range(1, 12))


def test_proposes_only_allowed_rows_each_once(source: Source) -> None:
    for limit in (1, 7, 500):
        for past, allowed in zip(PASTS, ALLOWED, strict=True):
            rows = source.prepare(past, MOMENT).candidates(allowed, limit)
            assert len(rows) <= limit
            assert len(set(rows.tolist())) == len(rows)
            assert allowed[rows].all()


def test_proposes_nothing_where_nothing_is_allowed(source: Source) -> None:
    for past in PASTS:
        assert len(source.prepare(past, MOMENT).candidates(np.zeros(N, dtype=np.bool_), 10)) == 0


def test_proposes_exactly_the_best_allowed_rows_by_its_own_score(source: Source) -> None:
    # Content proposes by likeness to interests alone and scores less the likeness to what was dismissed.
    limit = N if source.name.key == "content" else 12
    for past, allowed in heard(source):
        scorer = source.prepare(past, MOMENT)
        scores = scorer.score(EVERY_ROW)
        best = np.sort(scores[(scores > NO_OPINION) & allowed])[::-1][:limit]
        found = scores[scorer.candidates(allowed, limit)]
        np.testing.assert_array_equal(np.sort(found[found > NO_OPINION])[::-1], best)


def test_has_an_opinion_where_it_says_so(source: Source) -> None:
    assert heard(source)
    for past, _ in heard(source):
        assert (source.prepare(past, MOMENT).score(EVERY_ROW) > NO_OPINION).any()


def test_has_no_opinion_without_a_history_where_it_goes_by_history(source: Source) -> None:
    empty = Past.empty(N)
    impersonal = source.name.key in IMPERSONAL
    assert source.has_opinion(empty) == impersonal
    assert bool(len(source.prepare(empty, MOMENT).candidates(ALLOWED[0], 5))) == impersonal


def test_a_score_does_not_depend_on_what_else_is_scored(source: Source) -> None:
    for line, past in enumerate(PASTS):
        scorer = source.prepare(past, MOMENT)
        rows = np.sort(np.random.default_rng(line).choice(N, 3 * line, replace=False)).astype(np.int32)
        np.testing.assert_allclose(scorer.score(rows), scorer.score(EVERY_ROW)[rows], rtol=1e-5)


def test_causes_lie_in_the_history_and_shares_between_zero_and_one(source: Source) -> None:
    for past, _ in heard(source):
        for places, count, share in zip(*source.prepare(past, MOMENT).causes(EVERY_ROW), strict=True):
            assert 0 <= share <= 1
            assert bool(count) == (share > 0)
            assert all(0 <= place < len(past) for place in places[:count])
            assert all(past.weights[place] > 0 for place in places[:count])
            assert len(set(places[:count].tolist())) == count


def test_what_scores_by_history_has_a_cause_in_it(source: Source) -> None:
    personal = source.name.key not in IMPERSONAL
    for past, _ in heard(source):
        if not past.positive.all():
            continue
        scorer = source.prepare(past, MOMENT)
        rows = np.flatnonzero(scorer.score(EVERY_ROW) > NO_OPINION).astype(np.int32)
        assert len(rows)
        assert ((scorer.causes(rows).counts > 0) == personal).all()
