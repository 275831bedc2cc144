"""What a request says about the trend that it wants."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from recommender.errors import InvalidInput
from recommender.trends import Asked
from recommender.trends.groups import BETWEEN, PART
from recommender.v1 import feed_pb2
from server.reading import label_of

SHORTEST = timedelta(minutes=1)
LONGEST_HALF_LIFE = timedelta(days=365)
PARTS_LIMIT = 8
"""Parts of a region, each of which lies in the one before: no more than so many groups are ever looked at."""

_MICROSECOND = timedelta(microseconds=1)


def asked_of(request: feed_pb2.GetPopularRequest, longest: timedelta) -> Asked | None:
    """The trend that is asked for, with a window of `longest` at the most; None where the request wants none.

    Raises `InvalidInput` naming the field.
    """
    if not (request.region or request.segment or request.HasField("window") or request.HasField("half_life")):
        return None
    region, segment = label_of(request.region, "region"), label_of(request.segment, "segment")
    region_name, segment_name = label_of(request.region_name, "region_name"), label_of(request.segment_name, "segment_name")
    if region.count(PART) >= PARTS_LIMIT:
        raise InvalidInput("region", region, f"at most {PARTS_LIMIT} parts, with {PART!r} between them")
    if BETWEEN in segment:
        raise InvalidInput("segment", segment, f"one segment, without {BETWEEN!r}")
    window = _micros_of(request.window, "window", longest) if request.HasField("window") else 0
    half_life = _micros_of(request.half_life, "half_life", LONGEST_HALF_LIFE) if request.HasField("half_life") else 0
    return Asked(window, half_life, region, segment, region_name, segment_name)


def _micros_of(message: Duration, field: str, longest: timedelta) -> int:
    """A duration in µs. Raises `InvalidInput` naming the `field` unless it is from a minute to `longest`."""
    seconds, nanos = message.seconds, message.nanos
    micros = seconds * 1_000_000 + nanos // 1_000
    if not (0 <= nanos < 1_000_000_000 and SHORTEST // _MICROSECOND <= micros <= longest // _MICROSECOND):
        allowed = f"{_in_seconds(SHORTEST)} s (a minute) to {_in_seconds(longest)} s ({longest.days} days)"
        raise InvalidInput(field, f"{seconds} s and {nanos} ns" if nanos else f"{seconds} s", allowed)
    return micros


def _in_seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)
