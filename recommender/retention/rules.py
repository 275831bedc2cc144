"""The rules, and how it is told what each lets go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from recommender.settings import Settings

EVENTS, SESSIONS, DECISIONS, REFUSED, UNFINISHED = "events", "sessions", "decisions", "refused", "unfinished"
"""What there are rules for, in the order in which it goes."""


@dataclass(frozen=True)
class Rules:
    """The rules of a deployment in days, 0 for no end, and the number of events that stay however old they are.

    `late_days`: how late events may come over the network, for what is to be said of a shorter rule.
    """

    event_days: int
    least_events: int
    session_days: int
    decision_days: int
    refused_days: int
    unfinished_days: int
    late_days: int

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """Those of `settings`."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Expiring:
    """What one rule lets go, or has let go.

    `days`: the rule, 0 for no end. `count`: events, sessions, served records, generations or builds; `kept`: how many of the first three
    stay. `partitions`: how many days of them, of what lies by day. `bytes`: about what it takes. `oldest` and `newest`: UTC days of it,
    None where there is nothing, or where that is not known. `ids`: of generations and builds.
    """

    rule: str
    days: int
    count: int = 0
    kept: int = 0
    partitions: int = 0
    bytes: int = 0
    oldest: date | None = None
    newest: date | None = None
    ids: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For other programs; days as YYYY-MM-DD."""
        days = {name: None if day is None else day.isoformat() for name, day in (("oldest", self.oldest), ("newest", self.newest))}
        return {**asdict(self), **days}


@dataclass(frozen=True)
class Expired:
    """What has gone, by rule, and `notes` on it. `complete`: whether all was tried, so that there is nothing to go on with."""

    expiring: tuple[Expiring, ...]
    notes: tuple[str, ...]
    complete: bool = True

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {"expired": [each.as_json() for each in self.expiring], "notes": list(self.notes), "complete": self.complete}
