"""The stages of a feed sum to the whole, and nobody is watched who did not ask."""

from __future__ import annotations

import time

from handmade import HOME, checkerboard, engine_of, feed_of, history_of

from recommender.feeds import Query
from recommender.stages import reached, watched


def busy(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_time_goes_to_the_stage_that_ends_and_sums_to_the_whole() -> None:
    with watched() as watch:
        started = time.thread_time_ns()
        busy(0.02)
        reached("long")
        busy(0.002)
        reached("short")
        busy(0.02)
        reached("long")
        whole = time.thread_time_ns() - started
    assert list(watch.ns) == ["long", "short"]
    assert watch.ns["long"] > 5 * watch.ns["short"] > 0
    assert 0.9 * whole < sum(watch.ns.values()) <= 1.1 * whole


def test_after_the_watch_marks_count_for_nobody() -> None:
    with watched() as watch:
        reached("one")
    before = dict(watch.ns)
    reached("other")
    assert watch.ns == before


def test_a_feed_passes_through_every_stage() -> None:
    engine, query = engine_of(checkerboard()), Query(HOME, 10, history=history_of(1, 2, 3), reasons=10)
    with watched() as watch:
        feed = feed_of(engine, query)
    assert len(feed.numbers) == 10
    for stage in ("what may be shown", "history", "candidates together", "blend", "slate", "reasons"):
        assert stage in watch.ns
    assert any(stage.startswith("prepared: ") for stage in watch.ns)
    assert any(stage.startswith("scores: ") for stage in watch.ns)
