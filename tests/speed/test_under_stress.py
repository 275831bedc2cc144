"""What a benchmark makes of calls under overload and while a generation changes: by outcomes written down by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from worlds import World, build_world

from recommender.generation import Generations
from server.bench.driver import Outcomes
from server.bench.overload import LATE, SHED, overload_row
from server.bench.swap import feeds_row, publish, seconds_to, twin_of
from server.bench.traffic import METHODS

UNAVAILABLE = 14


def outcomes(*calls: tuple[str, float, int, bool, float, str]) -> Outcomes:
    """Calls as method, latency in s, code, degraded, delay asked for, generation; the n-th ended at second n."""
    methods, latencies, codes, degraded, delays, generations = zip(*calls, strict=True)
    return Outcomes(
        method=np.array([list(METHODS).index(name) for name in methods], dtype=np.int8),
        latency=np.array(latencies),
        code=np.array(codes, dtype=np.int16),
        degraded=np.array(degraded, dtype=np.bool_),
        ended=np.arange(len(calls), dtype=np.float64),
        retry_s=np.array(delays),
        generation=np.array(generations, dtype=np.str_),
        seconds=1.0,
        client_seconds=0.1,
    )


def test_every_call_under_overload_is_accounted_for() -> None:
    row = overload_row(
        outcomes(
            ("GetFeed", 0.010, 0, False, math.nan, "a"),
            ("GetFeed", 0.020, 0, True, math.nan, "a"),
            ("GetFeed", 0.001, SHED, False, 0.2, ""),
            ("GetPopular", 0.001, SHED, False, 0.4, ""),
            ("GetFeed", 0.250, LATE, False, math.nan, ""),
            ("RecordEvents", 0.005, 0, False, math.nan, ""),
            ("RecordEvents", 0.005, LATE, False, math.nan, ""),
            ("GetFeed", 0.001, UNAVAILABLE, False, math.nan, ""),
        ),
        seconds=2.0,
        saturation=2.0,
    )
    assert row["offered/s"] == 4
    assert row["in time/s"] == 1.5
    assert row["goodput over saturation"] == 0.75
    assert row["degraded share"] == 0.5, "of the feeds that were answered"
    assert (row["shed share"], row["late share"], row["failed otherwise"]) == (2 / 8, 2 / 8, 1)
    assert row["retry s"] == pytest.approx(0.3)
    assert row["events not taken"] == 1
    assert row["p50 ms"] == pytest.approx(10)


def test_slow_feeds_are_told_by_the_usual_p99() -> None:
    feeds = outcomes(*[("GetFeed", latency, 0, False, math.nan, "a") for latency in (0.01, 0.02, 0.021, 0.09)])
    row = feeds_row(feeds, 0.01)
    assert (row["feeds"], row["failed"], row["over twice the usual p99"]) == (4, 0, 2)
    assert row["slowest ms"] == pytest.approx(90)


def test_the_change_has_happened_with_the_first_feed_of_the_new_generation() -> None:
    feeds = outcomes(*[("GetFeed", 0.01, 0, False, math.nan, name) for name in ("old", "old", "new", "old", "new")])
    assert seconds_to(feeds, "new", 0.5) == 1.5
    assert math.isnan(seconds_to(feeds, "another", 0.5))


def test_a_call_belongs_to_the_time_at_which_it_was_due() -> None:
    # Due at 0, 0.5 and 2.
    calls = outcomes(*[("GetFeed", latency, 0, False, math.nan, "a") for latency in (0.0, 0.5, 0.0)])
    assert calls.due_between(0.5, 1.5).tolist() == [False, True, False]
    assert calls.due_between(0.5, math.nan).tolist() == [False, True, True]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("stress"))


def test_a_twin_is_a_sound_generation_of_its_own(built: World, tmp_path: Path) -> None:
    origin = Generations(built.settings.generations_path)
    current = origin.current_id()
    assert current is not None
    (tmp_path / current).symlink_to(origin.root / current, target_is_directory=True)
    copies = Generations(tmp_path)

    twin = twin_of(tmp_path, current)
    publish(tmp_path, twin)

    assert twin != current
    assert copies.current_id() == twin
    assert copies.verify(twin).parent == current
    assert copies.load(twin).contents.catalogue.n == origin.load(current).contents.catalogue.n
    assert json.loads((origin.root / current / "manifest.json").read_text())["id"] == current
