"""A source that fails or comes too late is left out and named; the rest of the feed stands."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from handmade import HOME, NOW, checkerboard, engine_of, feed_of, history_of, rows_in

from recommender.engine import Recommender
from recommender.feeds import Degradation, Query, SourceName
from recommender.sources import Causes, CollaborativeSource, ItemItemSource, Past, Scorer
from recommender.sources.source import Floats, Mask, Rows

HISTORY = history_of(1, 3, 5)


class _FailingScorer:
    def __init__(self, scorer: Scorer, stage: str) -> None:
        self._scorer = scorer
        self._stage = stage

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        if self._stage == "candidates":
            raise ZeroDivisionError("in candidates")
        return self._scorer.candidates(allowed, limit)

    def further(self, allowed: Mask, limit: int) -> Rows:
        if self._stage == "further":
            raise ZeroDivisionError("in further")
        return self._scorer.further(allowed, limit)

    def score(self, rows: Rows) -> Floats:
        if self._stage == "score":
            raise ZeroDivisionError("in score")
        return self._scorer.score(rows)

    def causes(self, rows: Rows) -> Causes:
        return self._scorer.causes(rows)


class _FailingSource(ItemItemSource):
    """An item–item source that fails at one stage of its work."""

    def __init__(self, source: ItemItemSource, stage: str) -> None:
        super().__init__(source.name, checkerboard().item_item, source.history_decay)
        self._stage = stage

    def prepare(self, past: Past, now: int) -> Scorer:  # type: ignore[override]
        if self._stage == "prepare":
            raise ZeroDivisionError("in prepare")
        return _FailingScorer(super().prepare(past, now), self._stage)


def failing_engine(stage: str) -> Recommender:
    engine = engine_of(checkerboard())
    sources = list(engine.sources)
    assert isinstance(sources[2], ItemItemSource)
    sources[2] = _FailingSource(sources[2], stage)
    engine.pools.sources = tuple(sources)
    return engine


@pytest.mark.parametrize("stage", ["prepare", "candidates", "further", "score"])
def test_a_source_that_fails_is_named_and_the_others_serve(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    feed = feed_of(failing_engine(stage), Query(HOME, 12, history=HISTORY, reasons=12))
    assert feed.degraded == (Degradation("item_item", "failed"),)
    assert len(feed.numbers) == 12
    assert len(feed.reasons) == 12
    assert not feed.source_ranks[:, 2].any()
    assert np.delete(feed.source_ranks, 2, axis=1).any(axis=0).all()
    assert "source failed" in caplog.text


@pytest.mark.parametrize("stage", ["prepare", "candidates", "further", "score"])
def test_a_failure_touches_only_feeds_that_the_source_had_a_part_in(stage: str) -> None:
    queries = [Query(HOME, 10), Query(HOME, 10, history=HISTORY), Query(HOME, 10, history=HISTORY, sources=frozenset({SourceName.CONTENT}))]
    degraded = [feed.degraded for feed in failing_engine(stage).feeds(queries, now=NOW)]
    assert degraded == [(), (Degradation("item_item", "failed"),), ()]


@pytest.mark.parametrize("stage", ["prepare", "candidates", "score"])
def test_a_feed_whose_only_source_fails_is_filled(stage: str) -> None:
    feed = feed_of(failing_engine(stage), Query(HOME, 12, history=HISTORY, sources=frozenset({SourceName.ITEM_ITEM})))
    assert rows_in(feed) == list(range(12))
    assert feed.degraded == (Degradation("item_item", "failed"),)


def broken_arrays() -> list[tuple[str, Callable[[Recommender], object]]]:
    return [
        ("factors of the wrong shape", lambda engine: setattr(engine.sources[1], "factors", np.ones((3, 2), dtype=np.float32))),
        ("vectors missing", lambda engine: setattr(engine.sources[0], "vectors", None)),
        ("popularity too short", lambda engine: setattr(engine.sources[3], "counts", np.ones(2, dtype=np.float32))),
    ]


@pytest.mark.parametrize(("name", "damage"), broken_arrays(), ids=[name for name, _ in broken_arrays()])
def test_broken_arrays_cost_a_source_and_not_the_feed(name: str, damage: Callable[[Recommender], object]) -> None:
    engine = engine_of(checkerboard())
    for source in engine.sources:
        # What is worked out once is worked out before the damage, as in a server that ran for a while.
        source.has_opinion(Past.empty(40))
    feed_of(engine, Query(HOME, 5, history=HISTORY[:-1]))
    damage(engine)
    feed = feed_of(engine, Query(HOME, 12, history=HISTORY))
    assert [entry.why for entry in feed.degraded] == ["failed"]
    assert len(feed.numbers) == 12


class _OddScorer(_FailingScorer):
    """Scores the last candidate as no number."""

    def __init__(self, scorer: Scorer, odd: float) -> None:
        super().__init__(scorer, "")
        self._odd = odd

    def score(self, rows: Rows) -> Floats:
        scores = super().score(rows).copy()
        scores[-1] = self._odd
        return scores


class _OddSource(CollaborativeSource):
    def __init__(self, source: CollaborativeSource, odd: float) -> None:
        super().__init__(source.factors, source.settings, source.confidence)
        self._odd = odd

    def prepare(self, past: Past, now: int) -> Scorer:  # type: ignore[override]
        return _OddScorer(super().prepare(past, now), self._odd)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_source_that_scores_any_candidate_as_no_number_has_failed(odd: float, caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of(checkerboard())
    sources = list(engine.sources)
    assert isinstance(sources[1], CollaborativeSource)
    engine.pools.sources = (sources[0], _OddSource(sources[1], odd), *sources[2:])
    feed = feed_of(engine, Query(HOME, 12, history=HISTORY))
    assert feed.degraded == (Degradation("collaborative", "failed"),)
    assert not feed.source_ranks[:, 1].any()
    assert "no number" in caplog.text
    # Whoever the source has nothing to say to is not concerned.
    assert feed_of(engine, Query(HOME, 12)).degraded == ()


SPOILT = (
    SourceName.COLLABORATIVE,
    SourceName.GRAPH,
    SourceName.ITEM_ITEM,
    SourceName.TRANSITIONS,
    SourceName.CO_OCCURRENCE,
    SourceName.TRANSFER,
    SourceName.POPULAR,
    SourceName.RESPONSE,
)
"""Sources whose scores come straight out of an array."""


def spoilt(name: SourceName, odd: float, everywhere: bool) -> Recommender:
    """The checkerboard's engine with `odd` in what one source has learnt of every item, or of the one that was liked last."""
    contents, rows = checkerboard(), slice(None) if everywhere else 5
    arrays = {
        SourceName.COLLABORATIVE: contents.factors,
        SourceName.GRAPH: contents.graph.vectors,
        SourceName.ITEM_ITEM: contents.item_item,
        SourceName.TRANSITIONS: contents.transitions,
        SourceName.CO_OCCURRENCE: contents.co_occurrence,
        SourceName.TRANSFER: contents.transfer,
        SourceName.POPULAR: contents.popularity,
        SourceName.RESPONSE: contents.response,
        SourceName.SEQUENCE: contents.sequence.items,
    }
    array = arrays[name]
    if isinstance(array, np.ndarray):
        array[rows] = odd
    else:
        array.values[array.offsets[0 if everywhere else 5] : array.offsets[-1 if everywhere else 6]] = odd
    return engine_of(contents)


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("name", SPOILT)
def test_a_source_that_learnt_what_is_no_number_has_failed_also_where_it_is_alone(name: SourceName, everywhere: bool) -> None:
    engine = spoilt(name, float("nan"), everywhere)
    for sources in (None, frozenset({name})):
        feed = feed_of(engine, Query(HOME, 12, history=HISTORY, sources=sources))
        assert Degradation(name.key, "failed") in feed.degraded
        assert not feed.source_ranks[:, name - 1].any()
        assert np.isfinite(feed.scores).all()


def test_past_the_deadline_every_source_is_left_out_and_the_fallback_answers() -> None:
    engine = engine_of(checkerboard())
    [feed] = engine.feeds([Query(HOME, 12, history=HISTORY, reasons=3)], now=NOW, deadline=time.monotonic() - 1)
    assert feed.degraded == tuple(Degradation(name.key, "deadline") for name in SourceName)
    assert rows_in(feed) == list(range(12))
    assert feed.retrieval_mode == "none"
    assert len(feed.reasons) == 3


def test_a_deadline_names_only_sources_that_would_have_had_a_part() -> None:
    [feed] = engine_of(checkerboard()).feeds([Query(HOME, 5)], now=NOW, deadline=time.monotonic() - 1)
    assert [entry.what for entry in feed.degraded] == ["popular", "fresh", "response"]


def test_with_time_enough_nothing_is_left_out() -> None:
    engine, query = engine_of(checkerboard()), Query(HOME, 12, history=HISTORY)
    [feed] = engine.feeds([query], now=NOW, deadline=time.monotonic() + 600)
    assert feed.degraded == ()
    assert rows_in(feed) == rows_in(feed_of(engine, query))
