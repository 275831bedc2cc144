"""What the rules let go now: found without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from recommender.generation import Generations, Manifest
from recommender.generation.leftovers import BUILDING, Leftover, leftovers, refused
from recommender.retention.notes import notes
from recommender.retention.rules import DECISIONS, EVENTS, REFUSED, SESSIONS, UNFINISHED, Expiring, Rules
from recommender.store import DayRows, Quiet, Store


@dataclass(frozen=True, eq=False)
class Due:
    """What would go now, oldest days first. `first_kept`: the first day whose events stay, None where all do. `refused_before` and
    `unfinished_before`: the moments before which such things go."""

    rules: Rules
    first_kept: date | None
    events: list[DayRows]
    sessions: Quiet | None
    decisions: list[DayRows]
    refused: list[Manifest]
    refused_before: datetime | None
    unfinished: list[Leftover]
    unfinished_before: datetime | None
    expiring: tuple[Expiring, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {"expiring": [each.as_json() for each in self.expiring], "notes": list(self.notes)}


def due(store: Store, generations: Generations, rules: Rules, *, now: datetime) -> Due:
    """What `rules` let go `now`. Changes nothing. Raises what reading raises."""
    today, expiry = now.astimezone(UTC).date(), store.expiry
    event_days, log = expiry.event_days(), expiry.decision_days()
    first_kept = _first_kept(event_days, rules, today)
    events = _before(event_days, first_kept)
    decisions = _before(log, _start(log, rules.decision_days, today))
    since = _start(event_days, rules.session_days, today)
    sessions = None if since is None else expiry.quiet_sessions(since, events_from=first_kept)
    refused_before = now - timedelta(days=rules.refused_days) if rules.refused_days else None
    unfinished_before = now - timedelta(days=rules.unfinished_days) if rules.unfinished_days else None
    manifests = [] if refused_before is None else refused(generations, refused_before)
    left = [] if unfinished_before is None else leftovers(generations, unfinished_before)
    stay = store.counts().sessions - (0 if sessions is None else len(sessions.alone))
    expiring = (
        _by_day(EVENTS, rules.event_days, events, event_days, expiry.event_bytes(events)),
        sessions_of(rules, sessions, 0 if sessions is None else len(sessions), stay),
        _by_day(DECISIONS, rules.decision_days, decisions, log, expiry.decision_bytes(decisions)),
        generations_of(rules, manifests),
        builds_of(rules, left),
    )
    spared = _before(event_days, _start(event_days, rules.event_days, today))[len(events) :]
    told = notes(rules, event_days, events, spared, resumable=(generations.root / BUILDING).is_dir())
    return Due(rules, first_kept, events, sessions, decisions, manifests, refused_before, left, unfinished_before, expiring, tuple(told))


def sessions_of(rules: Rules, quiet: Quiet | None, count: int, kept: int) -> Expiring:
    """What is told of `count` sessions of `quiet`, where `kept` stay."""
    if quiet is None or not count:
        return Expiring(SESSIONS, rules.session_days, kept=kept)
    size = round(quiet.bytes * count / len(quiet))
    return Expiring(SESSIONS, rules.session_days, count, kept, bytes=size, oldest=quiet.oldest, newest=quiet.newest)


def generations_of(rules: Rules, manifests: Sequence[Manifest]) -> Expiring:
    """What is told of refused generations."""
    ids = tuple(manifest.id for manifest in manifests)
    days = [manifest.created_at.astimezone(UTC).date() for manifest in manifests]
    size = sum(manifest.size_bytes for manifest in manifests)
    return Expiring(REFUSED, rules.refused_days, len(ids), 0, 0, size, *_ends(days), ids)


def builds_of(rules: Rules, left: Sequence[Leftover]) -> Expiring:
    """What is told of unfinished builds."""
    names = tuple(each.name for each in left)
    size = sum(each.bytes for each in left)
    return Expiring(UNFINISHED, rules.unfinished_days, len(names), 0, 0, size, *_ends([each.at.date() for each in left]), names)


def _by_day(rule: str, days: int, going: Sequence[DayRows], there: Sequence[DayRows], size: int) -> Expiring:
    count = sum(day.rows for day in going)
    kept = sum(day.rows for day in there) - count
    return Expiring(rule, days, count, kept, len(going), size, *_ends([day.day for day in going]))


def _ends(days: Sequence[date]) -> tuple[date | None, date | None]:
    return (min(days), max(days)) if days else (None, None)


def _before(days: Sequence[DayRows], start: date | None) -> list[DayRows]:
    return [day for day in days if start is not None and day.day < start]


def _start(days: Sequence[DayRows], kept: int, today: date) -> date | None:
    """The first of the `kept` days, counted back from the newest of `days`, or from `today` where that is earlier; None without a rule
    or a day."""
    if not kept or not days:
        return None
    newest = min(days[-1].day, today)
    return newest - timedelta(days=kept) if newest.toordinal() > kept else date.min


def _first_kept(days: Sequence[DayRows], rules: Rules, today: date) -> date | None:
    """The first day whose events stay: what the rule says, or an earlier one, where too few events would be left. None where all stay."""
    start = _start(days, rules.event_days, today)
    if start is None:
        return None
    kept = 0
    for day in reversed(days):
        if day.day < start:
            if kept >= rules.least_events:
                break
            start = day.day
        kept += day.rows
    return start if kept >= rules.least_events else None
