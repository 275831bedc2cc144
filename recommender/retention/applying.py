"""Letting go what is due, in steps short enough to be in nobody's way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime

from recommender.errors import StoreBusy
from recommender.generation import Generations
from recommender.generation.leftovers import remove_leftovers, remove_refused
from recommender.retention.due import Due, builds_of, due, generations_of, sessions_of
from recommender.retention.rules import DECISIONS, EVENTS, REFUSED, SESSIONS, UNFINISHED, Expired, Expiring, Rules
from recommender.store import DayRows, Quiet, Store

LONGEST_PAUSE_S = 1.0
"""Each step is followed by a pause as long as itself, in which others write, and of so many seconds at the most."""

Told = Callable[[str, int, int], None]
"""Hears of a rule how many days or sessions are done, and of how many."""


def apply(
    store: Store,
    generations: Generations,
    rules: Rules,
    *,
    now: datetime,
    more: Callable[[], bool] = lambda: True,
    told: Told = lambda rule, done, total: None,
) -> Expired:
    """Let go what is `due`, step by step, for as long as there is `more` time, but one step at least.

    Only the holder of the writer's lock of `generations` may call it. A day that somebody has been reading for longer than a moment stays
    until the next time, which is noted. Raises what writing to the store and below the folder of generations raises; what was done until
    then is done.
    """
    found = due(store, generations, rules, now=now)
    steps = _Steps(more, told)
    # First, so that nothing of the days that go comes between.
    if store.expiry.first_kept() != found.first_kept:
        store.expiry.keep_events_from(found.first_kept)
    expired = (
        steps.days(_nothing_of(found, EVENTS), found.events, store.expiry.drop_events, store.expiry.event_bytes),
        steps.sessions(store, found.rules, found.sessions),
        steps.days(_nothing_of(found, DECISIONS), found.decisions, store.expiry.drop_decisions, store.expiry.decision_bytes),
        steps.refused(generations, found),
        steps.unfinished(generations, found),
    )
    return Expired(expired, (*found.notes, *steps.notes), steps.complete)


def _nothing_of(found: Due, rule: str) -> Expiring:
    (due_now,) = [each for each in found.expiring if each.rule == rule]
    return Expiring(rule, due_now.days, kept=due_now.kept + due_now.count)


class _Steps:
    """Step after step while there is time, and what became of them."""

    def __init__(self, more: Callable[[], bool], told: Told) -> None:
        self._more, self._told = more, told
        self._begun = False
        self.notes: list[str] = []
        self.complete = True

    def days(
        self, gone: Expiring, days: Sequence[DayRows], drop: Callable[[date], int], size: Callable[[Sequence[DayRows]], int]
    ) -> Expiring:
        for place, day in enumerate(days):
            if not self._may_go_on():
                break
            with _pause_after():
                bytes_there = size([day])
                try:
                    rows = drop(day.day)
                except StoreBusy as error:
                    self.notes.append(f"the {gone.rule} of {day.day} stay until the next time: {error}")
                    continue
                gone = replace(
                    gone,
                    count=gone.count + rows,
                    kept=gone.kept - rows,
                    partitions=gone.partitions + 1,
                    bytes=gone.bytes + bytes_there,
                    oldest=gone.oldest or day.day,
                    newest=day.day,
                )
            self._told(gone.rule, place + 1, len(days))
        return gone

    def sessions(self, store: Store, rules: Rules, quiet: Quiet | None) -> Expiring:
        forgotten = done = 0
        for numbers in () if quiet is None else quiet.parts():
            if quiet is None or not self._may_go_on():
                break
            with _pause_after():
                forgotten += store.expiry.forget(quiet, numbers)
            done += len(numbers)
            self._told(SESSIONS, done, len(quiet))
        return sessions_of(rules, quiet, forgotten, store.counts().sessions)

    def refused(self, generations: Generations, found: Due) -> Expiring:
        if not found.refused or found.refused_before is None or not self._may_go_on():
            return generations_of(found.rules, [])
        gone = set(remove_refused(generations, found.refused_before))
        self._told(REFUSED, len(gone), len(gone))
        return generations_of(found.rules, [manifest for manifest in found.refused if manifest.id in gone])

    def unfinished(self, generations: Generations, found: Due) -> Expiring:
        if not found.unfinished or found.unfinished_before is None or not self._may_go_on():
            return builds_of(found.rules, [])
        gone = set(remove_leftovers(generations, found.unfinished_before))
        self._told(UNFINISHED, len(gone), len(gone))
        return builds_of(found.rules, [left for left in found.unfinished if left.name in gone])

    def _may_go_on(self) -> bool:
        self.complete = self.complete and (not self._begun or self._more())
        self._begun = True
        return self.complete


@contextmanager
def _pause_after() -> Iterator[None]:
    began = time.monotonic()
    yield
    time.sleep(min(LONGEST_PAUSE_S, time.monotonic() - began))
