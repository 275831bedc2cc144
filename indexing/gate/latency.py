"""Whether feeds still come in time: a smoke test that only a gross slow-down fails, however busy the machine is.

Both engines are asked in turns, so that whatever else runs slows both down; of several rounds the quickest median counts, which one
quiet moment is enough for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from indexing.gate.feeds import after_one
from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.generation import GateCheck
from recommender.placements import Placement
from recommender.profile import Gate

ROUNDS, FEEDS = 5, 20
"""Rounds that count, and feeds of each. A round before them loads what the first feeds wait for."""
FLOOR_MS = 20.0
"""What takes less is quick enough, however much quicker the parent was."""


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of a feed, the quickest median of all rounds; `parent_ms` is None where there is no parent that could be loaded."""

    ours_ms: float
    parent_ms: float | None


def measure_latency(
    engine: Recommender,
    parent: Recommender | None,
    placement: Placement,
    now: datetime,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Latencies:
    """How long feeds after one popular item take, none of which was asked before. `clock`: seconds."""
    engines = [engine] if parent is None else [engine, parent]
    # No query is asked twice, or it would be answered from what is kept of the last minute.
    asked = [_rounds(each, placement) for each in engines]
    medians = [
        [_median_ms(each, queries, now, clock) for each, queries in zip(engines, turn, strict=True)] for turn in zip(*asked, strict=True)
    ]
    best = np.min(medians[1:], axis=0)
    return Latencies(float(best[0]), None if parent is None else float(best[1]))


def check_latency(measured: Latencies, bounds: Gate) -> GateCheck:
    """Whether feeds are within the bounds. The figures stand in the message where they are not: others would make two builds of the
    same inputs differ."""
    slower = "" if measured.parent_ms is None else f", and below {bounds.latency_ratio:g} times the parent's where above {FLOOR_MS:g} ms"
    allowed = f"a feed's median must be below {bounds.latency_ms:g} ms{slower}"
    quick = measured.ours_ms < bounds.latency_ms
    if measured.parent_ms is not None:
        quick = quick and measured.ours_ms < max(FLOOR_MS, bounds.latency_ratio * measured.parent_ms)
    if quick:
        return GateCheck(name="latency", passed=True, message=f"within bounds; {allowed}")
    beside = "" if measured.parent_ms is None else f", the parent's {measured.parent_ms:.1f} ms"
    return GateCheck(name="latency", passed=False, message=f"{measured.ours_ms:.1f} ms{beside}; {allowed}")


def _rounds(engine: Recommender, placement: Placement) -> list[list[Query]]:
    # Histories of another time are other ones, of which nothing is known yet.
    return [after_one(engine, placement, FEEDS, at=turn) for turn in range(1, ROUNDS + 2)]


def _median_ms(engine: Recommender, queries: list[Query], now: datetime, clock: Callable[[], float]) -> float:
    took = []
    for query in queries:
        began = clock()
        engine.feeds([query], now=now)
        took.append(clock() - began)
    return float(np.median(took)) * 1e3 if took else 0.0
