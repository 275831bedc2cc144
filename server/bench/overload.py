"""What became of twice as many calls as a server can answer."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np

from server.bench.driver import Outcomes

OVERLOAD = 2.0
"""Calls that are sent, over those that the server can answer."""
PATIENCE_S = {"callers wait 250 ms": 0.25, "callers wait 30 ms": 0.03}
"""How long callers wait for an answer; the shorter is near what a feed takes with its place in the queue."""

SHED, LATE = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], grpc.StatusCode.DEADLINE_EXCEEDED.value[0]


def overload_row(outcomes: Outcomes, seconds: float, saturation: float) -> dict[str, Any]:
    """Calls by what became of them. `saturation`: answers a second when each caller waits for its answer before it sends the next call.

    Shares are of all calls; that of degraded answers, of the feeds that were answered. `retry s` is the median of the delays that the
    server asked for, 0 where it turned nobody away.
    """
    calls = max(len(outcomes.code), 1)
    events, feeds = outcomes.of("RecordEvents"), outcomes.of("GetFeed")
    shed, late = outcomes.code == SHED, outcomes.code == LATE
    told = outcomes.retry_s[np.isfinite(outcomes.retry_s)]
    p50, _, p99, _ = outcomes.percentiles()
    in_time = int(outcomes.good.sum())
    return {
        "offered/s": calls / seconds,
        "in time/s": in_time / seconds,
        "goodput over saturation": in_time / seconds / saturation,
        "p50 ms": p50,
        "p99 ms": p99,
        "degraded share": float(outcomes.degraded.sum()) / max(int(feeds.good.sum()), 1),
        "shed share": float(shed.sum()) / calls,
        "retry s": float(np.median(told)) if len(told) else 0.0,
        "late share": float(late.sum()) / calls,
        "failed otherwise": int((~outcomes.good & ~shed & ~late).sum()),
        "events not taken": int((~events.good).sum()),
    }
