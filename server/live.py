"""The one mutable cell of the server: the engine that answers.

A new generation is loaded beside the serving one, by a thread that gives way to calls, is tried on what was asked lately, and takes its
place in one assignment; the old one is given up once the calls that began with it are over. Changes of the catalogue are applied
by whichever request first sees them, so that a hidden item is gone with the next answer. What new and changed items look like is read by
another thread a moment later, and laid over the generation.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from recommender.background import FURTHER, Pauses, stand_back
from recommender.engine import Recommender
from recommender.errors import CorruptGeneration, NoGeneration, RecommenderError
from recommender.feeds import Degradation
from recommender.generation import Generations
from recommender.live_counts import LiveCounts
from recommender.overlay.newer import Newer, Read
from recommender.segments import Base, Segments
from recommender.store import Store, StoredItem
from server.heap import give_back, give_back_pages
from server.logs import LOGGER_NAME
from server.metrics import Metrics
from server.recent import RecentQueries
from server.warming import warm

_LOG = logging.getLogger(f"{LOGGER_NAME}.live")

NOTHING_ACTIVE = "no generation is active; run `recommender reindex`, or `recommender generations activate` if there is one"

NEW_ITEMS, UNEMBEDDED = "new_items", "unembedded"

SETTLING_LOOKS, LOOKS_PER_GIVING = 15, 5
"""So many looks after an engine was retired memory is given back for the last time, each time after so many."""

RETRY_MOST_S = 60.0
"""Longest wait before a generation that could not be loaded is tried again; the first is a poll, each next twice as long."""


@dataclass(frozen=True)
class _Failure:
    """A generation that could not be loaded for a reason that may pass. `retry_at`: a `time.monotonic()` value."""

    generation_id: str
    why: str
    wait_s: float
    retry_at: float


@dataclass(frozen=True)
class _Known:
    """The changes of the catalogue up to which the serving engine knows items: by their words, up to `embedded`; else up to `change`. -1
    while there is none."""

    change: int = -1
    embedded: int = -1


class Live:
    """Holds the serving engine and looks every `poll_s` seconds for a newly activated generation.

    `on_serving` is called once, when the first engine is there.
    """

    def __init__(
        self,
        generations: Generations,
        store: Store,
        metrics: Metrics,
        *,
        now: Callable[[], datetime],
        poll_s: float,
        changes_poll_s: float,
        counts_poll_s: float,
        deltas: Path,
        patience_s: float,
        on_serving: Callable[[], None],
    ) -> None:
        self._generations = generations
        self._store = store
        self._metrics = metrics
        self._now = now
        self._poll_s = poll_s
        self._changes_poll_s = changes_poll_s
        self._counts_poll_s = counts_poll_s
        self._counts: LiveCounts | None = None
        self._counted_upto = 0
        self._deltas = deltas
        self._patience = timedelta(seconds=patience_s)
        self._newer: Newer | None = None
        self._waiting: Mapping[int, datetime] = {}
        self._waiting_since: datetime | None = None
        self._told: frozenset[str] = frozenset()
        self._known = _Known()
        self._on_serving = on_serving
        self._engine: Recommender | None = None
        self._retired: Recommender | None = None
        self.recent = RecentQueries()
        self._building = threading.Lock()
        self._refreshing = threading.Lock()
        self._looking = threading.Lock()
        self._refused_id: str | None = None
        self._failure: _Failure | None = None
        self._why_none = NOTHING_ACTIVE
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._looks = threading.Condition()
        self._begun = self._done = 0
        self._thread = threading.Thread(target=self._poll, name="generations", daemon=True)
        self._changes_thread = threading.Thread(target=self._follow, name="changes", daemon=True)
        # Memory is given back under a lock that every call needs, so whoever does it must not stand back.
        self._giving_back = ThreadPoolExecutor(1, thread_name_prefix="memory")

    def start(self) -> None:
        """Begin to look, at once and then every `poll_s` seconds."""
        # A thread has the priority of the one that starts it.
        self._giving_back.submit(_nothing)
        self._thread.start()
        self._changes_thread.start()

    def wait_for_first_look(self) -> None:
        """Return when the generation that was active at the start serves, or was found absent or refused."""
        self._wait_for_look(1)

    def stop(self) -> None:
        """Stop looking; the engine stays."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._changes_thread.join()
        self._giving_back.shutdown()

    @property
    def engine(self) -> Recommender | None:
        """The serving engine as it is, None before there is one."""
        return self._engine

    def at_least(self, change: int) -> Recommender:
        """The serving engine with all catalogue changes up to `change` applied. Raises `NoGeneration`."""
        engine = self._engine
        if engine is None:
            raise NoGeneration(self._why_none)
        return engine if engine.change >= change else self._caught_up(change)

    def newest(self) -> Recommender:
        """The serving engine with every catalogue change there is. Raises `NoGeneration`."""
        engine = self.at_least(0)
        changes = self._store.catalogue_changes(engine.change)
        return self._caught_up(changes[-1].sequence) if changes else engine

    def _caught_up(self, change: int) -> Recommender:
        with self._building:
            engine = self.at_least(0)
            if engine.change < change:
                engine = self._engine = self._with_changes(engine, change)
                self._metrics.live_items.set(_live_items(engine))
            return engine

    def _with_changes(self, engine: Recommender, change: int) -> Recommender:
        changes = self._store.catalogue_changes(engine.change)
        self._metrics.catalogue_changes.inc(len(changes))
        return engine.with_changes(changes, max(change, changes[-1].sequence if changes else 0))

    def degraded(self, now: datetime) -> tuple[Degradation, ...]:
        """What answers lack at the moment, whatever is asked: the meaning of new items that have waited too long to be embedded."""
        since = self._waiting_since
        late = since is not None and now - since > self._patience
        return (Degradation(NEW_ITEMS, UNEMBEDDED),) if late else ()

    def awaits_embedding(self, number: int) -> bool:
        """Whether the item of a number is served without its text having been embedded."""
        return number in self._waiting

    def knows(self, stored: StoredItem) -> bool:
        """Whether feeds know an item as it is stored by all that it says, by its words as well."""
        known, item = self._known, stored.item
        by_words = item.embedding is None and (item.title.strip() or item.text.strip())
        return stored.change <= (known.embedded if by_words else known.change)

    def refresh(self) -> None:
        """Lay over the serving generation what has changed since it was read for the last time. Raises what the store raises."""
        with self._refreshing:
            engine, newer = self._engine, self._newer
            if engine is None or newer is None or newer.segments.base.generation != engine.generation_id:
                return
            read = newer.read(self.newest())
            if read is None:
                return
            self._tell(read)
            self._replace(lambda engine: self._overlaid(engine, read))
            self._known = _Known(read.change, read.embedded)

    def _replace(self, made_of: Callable[[Recommender], Recommender]) -> None:
        """Put another engine, made of the serving one, in its place. Requests that have to apply a change themselves wait for each other,
        and hardly ever for this."""
        before = self.at_least(0)
        made = made_of(before)
        with self._building:
            # A request may have applied a change meanwhile.
            self._engine = made if self._engine is before else made_of(self.at_least(0))
            self._metrics.live_items.set(_live_items(self._engine))

    def count(self) -> None:
        """Let what people did since it was last counted move what is popular. Raises what the store raises."""
        with self._refreshing:
            counts, upto = self._counts, self._store.change_sequence()
            if counts is None or upto == self._counted_upto:
                return
            for batch in self._store.iter_events(since=self._counted_upto, upto=upto):
                counts.take(batch)
            self._counted_upto = upto
            self._replace(lambda engine: counts.over(engine, upto=upto))

    def _overlaid(self, engine: Recommender, read: Read) -> Recommender:
        """The engine with what was `read` laid over it, and with all changes since."""
        engine = self._with_changes(engine, max(engine.change, read.change))
        return engine.with_overlay(read.delta, read.change, self._store.catalogue_changes(read.change))

    def _tell(self, read: Read) -> None:
        """Show in metrics and log what was read."""
        self._waiting = read.waiting
        self._waiting_since = min(read.waiting.values(), default=None)
        self._metrics.newer_items.set(len(read.delta.numbers))
        self._metrics.unembedded_items.set(len(read.waiting) + read.left_out)
        told = frozenset(map(str, read.refused))
        for why in sorted(told - self._told):
            _LOG.error("delta segment refused", extra={"why": why})
        self._told = told

    def _follow(self) -> None:
        failing: tuple[object, ...] = ()
        stand_back()
        count_at = time.monotonic()
        while not self._stop.wait(self._changes_poll_s):
            try:
                self.refresh()
                if time.monotonic() >= count_at:
                    count_at = time.monotonic() + self._counts_poll_s
                    self.count()
                failing = ()
            except Exception as error:
                # The store or the folder may be out of reach for a while; whatever serves goes on serving.
                kind = (type(error), getattr(error, "errno", None))
                if kind != failing:
                    _LOG.exception("looking for new items failed")
                failing = kind

    def look(self) -> None:
        """Take the active generation into service if it is another one than the serving one.

        One that is corrupt is logged by name, counted, and not tried again until another one has been activated or `retry`
        is called. One that could not be loaded for another reason is tried again after a while, and logged and counted each
        time the reason is a new one. The old one serves on.
        """
        with self._looking:
            active = self._generations.current_id()
            serving = None if self._engine is None else self._engine.generation_id
            if active is None or active == self._refused_id:
                return
            self._refused_id = None
            failure = self._failure if self._failure is not None and self._failure.generation_id == active else None
            if active != serving and failure is not None and time.monotonic() < failure.retry_at:
                return
            self._failure = None
            if active == serving:
                return
            try:
                self._take(active)
            except CorruptGeneration as error:
                self._refused_id = active
                self._refuse(active, str(error), serving)
            except Exception as error:
                self._failure = self._failed(active, error, failure, serving)

    def retry(self) -> None:
        """Have it looked for a generation, also one that was refused before, since somebody has just activated it; return when that is
        done, or when looking has been stopped."""
        with self._looking:
            self._refused_id = self._failure = None
        with self._looks:
            # One that has begun may have read which generation is active before that changed.
            wanted = self._begun + 1
        self._wake.set()
        self._wait_for_look(wanted)

    def _wait_for_look(self, number: int) -> None:
        with self._looks:
            self._looks.wait_for(lambda: self._done >= number or self._stop.is_set())

    def _take(self, generation_id: str) -> None:
        generation = self._generations.load(generation_id)
        engine = Recommender.of(generation)
        first = self._engine is None
        warm(engine, self._now(), self.recent.newest_first(), pause=_nothing if first else Pauses())
        manifest = generation.manifest
        newer = Newer(Segments(self._deltas, Base.of(manifest)), self._store, manifest.watermark)
        with self._refreshing:
            # What the one before shows of new items must not vanish with it.
            engine = self._with_changes(engine, engine.change)
            read = newer.read(engine)
            with self._building:
                engine = self._with_changes(engine, engine.change) if read is None else self._overlaid(engine, read)
                self._retired, self._engine, self._newer = self._engine, engine, newer
                self._counts = LiveCounts(generation.contents, generation.settings.event_weights.table())
                self._counted_upto = manifest.watermark
                self._known = _Known(manifest.watermark, manifest.watermark) if read is None else _Known(read.change, read.embedded)
            if read is not None:
                self._tell(read)
        self._metrics.serves(manifest.id, manifest.created_at, manifest.items)
        self._metrics.live_items.set(_live_items(engine))
        _LOG.info("generation serves", extra={"generation_id": manifest.id, "items": manifest.items, "change": engine.change})
        if first:
            self._on_serving()

    def _refuse(self, generation_id: str, why: str, serving: str | None) -> None:
        self._metrics.generation_refusals.inc()
        self._why_none = f"{why}; run `recommender generations rollback` or `recommender reindex`"
        _LOG.error("generation refused", extra={"generation_id": generation_id, "why": why, "serving": serving})

    def _failed(self, generation_id: str, error: Exception, before: _Failure | None, serving: str | None) -> _Failure:
        expected = isinstance(error, RecommenderError)
        why = str(error) if expected else f"generation {generation_id} cannot be loaded now ({type(error).__name__})"
        wait_s = self._poll_s if before is None else min(2 * before.wait_s, RETRY_MOST_S)
        if before is None or why != before.why:
            self._metrics.generation_refusals.inc()
            self._why_none = f"{why}; it is tried again"
            _LOG.error(
                "generation not loaded",
                extra={"generation_id": generation_id, "why": why, "serving": serving},
                exc_info=None if expected else error,
            )
        return _Failure(generation_id, why, wait_s, time.monotonic() + wait_s)

    def _poll(self) -> None:
        failing: tuple[object, ...] = ()
        settling = 0
        while not self._stop.is_set():
            self._wake.clear()
            with self._looks:
                self._begun += 1
            try:
                self.look()
                failing = ()
            except Exception as error:
                # The folder may be out of reach for a while; whatever serves goes on serving.
                kind = (type(error), getattr(error, "errno", None))
                if kind != failing:
                    _LOG.exception("looking for a generation failed")
                failing = kind
            with self._looks:
                self._done += 1
                self._looks.notify_all()
            if self._engine is not None:
                # Nobody waits for the second generation and those after it.
                stand_back(FURTHER)
            self._wake.wait(self._poll_s)
            if self._retired is not None:
                # By now the calls that began with it are over, so that none of them has to give its memory back.
                self._retired, settling = None, SETTLING_LOOKS
                self._giving_back.submit(give_back)
            elif settling:
                # What lay between its pieces has gone only by now: about a third of what the change had added.
                settling -= 1
                if settling % LOOKS_PER_GIVING == 0:
                    self._giving_back.submit(give_back_pages)
        with self._looks:
            self._looks.notify_all()


def _nothing() -> None:
    """Nothing at all."""


def _live_items(engine: Recommender) -> int:
    return int(np.count_nonzero(engine.eligibility.live))
