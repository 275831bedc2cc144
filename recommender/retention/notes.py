"""What an operator should know of the rules before they act."""

from __future__ import annotations

from collections.abc import Sequence

from recommender.retention.rules import Rules
from recommender.store import DayRows

BUILD_DAYS = 28
"""Days below which a rule for events is told to be short: a build is judged on the last part of the time that it reads, and each day of the
week is to be there several times before and in it."""

LARGE_SHARE = 0.5
"""Share of all events, going at once, from which on it is told what the next build's gate may say."""


def notes(rules: Rules, days: Sequence[DayRows], going: Sequence[DayRows], spared: Sequence[DayRows], *, resumable: bool) -> list[str]:
    """Sentences on rules for events that `days` hold, of which `going` go and `spared` stay though the rule is over.

    `resumable`: whether a killed build can be gone on with.
    """
    found = []
    gone, there, stay = (sum(day.rows for day in each) for each in (going, days, spared))
    if stay:
        found.append(
            f"{stay:,} events stay that are older than {rules.event_days} days: builds are to have {rules.least_events:,} (least_events)"
        )
    if 0 < rules.event_days < BUILD_DAYS:
        found.append(
            f"event_days is {rules.event_days}: builds learn from, and are judged on, so many days at the most, which below {BUILD_DAYS} "
            "says little; people's own histories keep what each did last, however old"
        )
    if 0 < rules.event_days < rules.late_days:
        found.append(f"event_days is below late_days ({rules.late_days}): later events are rejected once their day is gone")
    if there and gone > LARGE_SHARE * there:
        found.append(
            f"{gone:,} of {there:,} events go at once: where the next build is left with far less than the active generation had, its gate "
            "refuses it (events-kept) unless --force gives a reason"
        )
    if gone and resumable:
        found.append("a killed build can be gone on with: where it has not read its events yet, it will read those that are left")
    return found
