"""Where the time of one feed goes, stage by stage, by the marks that the hot path sets itself."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from recommender.settings import load_settings
from recommender.stages import reached, watched
from recommender.v1 import feed_pb2
from server.app import Server
from server.bench.traffic import RARE, Traffic

WARM = 300
"""Feeds made before the watch is started."""
FREE = "127.0.0.1:0"


class _Call:
    """What a call's handler asks of the call: nothing is urgent."""

    def time_remaining(self) -> float | None:
        return None

    def is_active(self) -> bool:
        return True


def stages_of_a_feed(data: Path, traffic: Traffic, feeds: int, placements: Path | None = None) -> dict[str, float]:
    """Microseconds of processor time by stage of a feed for a known person who is no regular, the mean of `feeds`; of the handler in this
    very process, from the bytes of the request to those of the reply. `placements`: a file of them, the first of which is asked for."""
    settings = load_settings(data=data, listen=FREE, admin_listen=FREE, metrics_listen=FREE, placements=placements)
    spent: Counter[str] = Counter()
    with Server.start(settings) as server:
        server.live.wait_for_first_look()
        calls = traffic.only("GetFeed", part=7, asker=RARE)
        for place, call in enumerate(islice(calls, WARM + feeds)):
            with watched() as watch:
                request = feed_pb2.GetFeedRequest.FromString(call.message)
                reached("request read")
                server.feeds.GetFeed(request, _Call())  # type: ignore[arg-type]
                reached("reply")
            if place >= WARM:
                spent.update(watch.ns)
    return {stage: ns / feeds / 1e3 for stage, ns in spent.items()}
