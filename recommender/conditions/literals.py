"""The text inside timestamp("…") and duration("…")."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction

from recommender.times import to_micros

TIMESTAMP_FORM = 'a time in RFC 3339 with its offset and at most six decimals, such as timestamp("2026-01-31T08:00:00Z")'
DURATION_FORM = 'a length of time in h, m, s, ms, us, such as duration("48h"), duration("1h30m") or duration("-1.5h"), at most 10,000 years'

TIME_RANGE = (to_micros(datetime(1, 1, 1, tzinfo=UTC)), to_micros(datetime.max.replace(tzinfo=UTC)))
"""Times are from the year 1 to the year 9999 (µs since 1970)."""

DURATION_RANGE = (-315_576_000_000_000_000, 315_576_000_000_000_000)
"""Lengths of time are at most 10,000 years either way (µs), as in protobuf's Duration."""

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_AMOUNT = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_UNIT_US = {
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1_000),
    "us": Fraction(1),
    "µs": Fraction(1),
    "μs": Fraction(1),
    "ns": Fraction(1, 1_000),
}


def read_timestamp(text: str) -> int | None:
    """Microseconds since 1970 of `text` in RFC 3339, or None when it is not of `TIMESTAMP_FORM`."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        micros = to_micros(datetime.fromisoformat(text))
    except ValueError:
        return None
    return micros if TIME_RANGE[0] <= micros <= TIME_RANGE[1] else None


def read_duration(text: str) -> int | None:
    """Microseconds of `text` such as "1h30m", or None when it is not of `DURATION_FORM` or no whole number of microseconds."""
    sign = -1 if text.startswith("-") else 1
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    total, at = Fraction(0), 0
    while at < len(body):
        amount = _AMOUNT.match(body, at)
        if amount is None:
            return None
        total += Fraction(amount.group(1)) * _UNIT_US[amount.group(2)]
        at = amount.end()
    if not body or total.denominator != 1 or total > DURATION_RANGE[1]:
        return None
    return sign * total.numerator
