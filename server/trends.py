"""What trends, by the events of the last days, which every server process keeps up with and counts when it is asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from recommender.background import Pauses, stand_back
from recommender.engine import Recommender
from recommender.store import Store
from recommender.times import from_micros, to_micros
from recommender.trends import ENTRIES, Asked, Least, RecentEvents, Trend, make_ready, trend_of
from server.logs import LOGGER_NAME
from server.metrics import Metrics

_LOG = logging.getLogger(f"{LOGGER_NAME}.trends")

KEPT = 64
"""Different trends that are kept, of up to half a megabyte each where a hundred thousand items trend."""

STEP_US = 5_000_000
"""A trend is counted as of the last full step of so many µs, so that those who ask for the same within it get the same."""

READ_BATCH = 5_000
"""Events read at once: some ten milliseconds during which no call is answered."""
SPARE = timedelta(minutes=5)
"""Events are kept for so much longer than the longest window, so that it is whole until the next look."""
AGEING = timedelta(hours=1)
"""After so long old events are let go even where no new ones come."""


class Trends:
    """The events of the last `days`, the `limit` newest at the most, and the trends that they make.

    Looks for new events every `poll_s` seconds. `least`: how many people a trend needs. `longest`: the longest window there is.
    """

    def __init__(
        self, store: Store, metrics: Metrics, *, now: Callable[[], datetime], poll_s: float, days: int, limit: int, least: Least
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now
        self._poll_s = poll_s
        self._limit = limit
        self._least = least
        self.longest = timedelta(days=days)
        # With the change sequence up to which they are there; None before they were first read.
        self._held: tuple[RecentEvents, int] | None = None
        self._joined_at = now()
        self._counted: dict[Hashable, Trend] = {}
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="trends", daemon=True)

    def start(self) -> None:
        """Begin to look, at once and then every `poll_s` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def trend(self, asked: Asked, engine: Recommender, now: datetime) -> Trend:
        """What trends now, by what events weigh for `engine`."""
        if self._held is None:
            return Trend.unknown(asked)
        events, upto = self._held
        moment = to_micros(now) // STEP_US * STEP_US
        plain = replace(asked, region_name="", segment_name="")
        key = (plain, moment, upto, engine.generation_id)
        trend = self._counted.get(key)
        if trend is None:
            # One at a time, so that those who want the same do not all count it.
            with self._counting:
                trend = self._counted.get(key)
                if trend is None:
                    table, longest_us = engine.settings.weight_table, self.longest // timedelta(microseconds=1)
                    trend = trend_of(events, plain, table, self._least, now=moment, longest_us=longest_us, key=key)
                    # Older ones are of steps that have passed, mostly.
                    while len(self._counted) >= KEPT:
                        self._counted.pop(next(iter(self._counted)))
                    self._counted[key] = trend
        return trend.called(asked)

    def look(self) -> None:
        """Take in the events that have come since the last look. Raises what the store raises."""
        now, upto = self._now(), self._store.change_sequence()
        events, known = self._held or (RecentEvents.none(), 0)
        if self._held is not None and upto == known and now - self._joined_at < AGEING:
            return
        first = now - self.longest - SPARE
        joined = events.joined(self._newer(first, known, upto), since=to_micros(first), limit=self._limit)
        if self._stop.is_set():
            return
        if self._held is None:
            make_ready()
        self._held, self._joined_at = (joined, upto), now
        self._metrics.trend_events.set(len(joined))
        self._metrics.trend_reach.set((now - from_micros(joined.since)).total_seconds())

    def _newer(self, first: datetime, since: int, upto: int) -> Iterator[pa.RecordBatch]:
        """The events since the last look, with pauses for whoever answers calls meanwhile."""
        pause, first_day = Pauses(), first.astimezone(UTC).date()
        batches = self._store.iter_newest_events(first_day=first_day, since=since, upto=upto, batch=READ_BATCH, context=ENTRIES)
        for batch in batches:
            if self._stop.is_set():
                return
            yield batch
            pause()

    def _follow(self) -> None:
        stand_back()
        failing: tuple[object, ...] = ()
        while not self._stop.is_set():
            try:
                self.look()
                failing = ()
            except Exception as error:
                # The store may be out of reach for a while; trends are counted from what is there.
                kind = (type(error), getattr(error, "errno", None))
                if kind != failing:
                    _LOG.exception("looking for what trends failed")
                failing = kind
            self._stop.wait(self._poll_s)
