"""What trend is asked for: a window of time, a half-life, a region and a segment, each of which may be left open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """`window_us`: only events of the last so many µs count, 0 for all that are held. `half_life_us`: age at which an event counts half, 0
    for never. `region` and `segment`: whose events, "" for everybody's. `region_name` and `segment_name`: what to call these in reasons, ""
    for as they are."""

    window_us: int = 0
    half_life_us: int = 0
    region: str = ""
    segment: str = ""
    region_name: str = ""
    segment_name: str = ""
