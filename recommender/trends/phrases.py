"""How trends are called in sentences for the reader."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_NAMED = {_HOUR: "in the last hour", _DAY: "today", 7 * _DAY: "this week"}


def when(window_us: int) -> str:
    """The last `window_us` µs in words, such as "today" for a day; "now" for 0."""
    if not window_us:
        return "now"
    if window_us in _NAMED:
        return _NAMED[window_us]
    for unit, name in ((_DAY, "days"), (_HOUR, "hours")):
        # A day and a half are 36 hours.
        if window_us % unit == 0 and window_us > unit:
            return f"in the last {window_us // unit} {name}"
    minutes = max(round(window_us / _MINUTE), 1)
    return f"in the last {minutes} minutes" if minutes > 1 else "in the last minute"


def popular_text(category: str, region: str, segment: str, moment: str) -> str:
    """That something is popular in a `category`, a `region` and with a `segment`, "" for all, at a `moment` in words."""
    within = "".join(f" in {name}" for name in (category, region) if name) + (f" with {segment}" if segment else "")
    return f"Popular{within} {moment}"
