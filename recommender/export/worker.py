"""What makes the feeds of some people: in this process, or in one of several that share the work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import faiss
import pyarrow as pa
from threadpoolctl import threadpool_limits

from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.events import Consent, SubjectKind
from recommender.export.rows import SCHEMA, rows_of
from recommender.feeds import Feed, Query
from recommender.generation import Generations
from recommender.live_counts import LiveCounts
from recommender.overlay.newer import Newer
from recommender.placements import Placement
from recommender.segments import Base, Segments
from recommender.store import Change, Store, open_store

BATCH = 256
"""Feeds asked for at once."""


@dataclass(frozen=True)
class Wanted:
    """What is exported: feeds of `size` items for people of one `kind` (None for all), by the generation `generation_id` with the
    catalogue's `changes` up to sequence `change` and events up to `upto`, all as of `now`.

    `consent_default` holds for who never said anything. Who does not allow to be personalised gets what everybody gets, or no row where
    `consenting_only`. `filter` and `language` as in a `Query`.
    """

    store: Path | str = field(repr=False)
    generations: Path
    deltas: Path
    generation_id: str
    placement: Placement
    size: int
    kind: SubjectKind | None
    consent_default: Consent
    consenting_only: bool
    filter: str
    language: str
    changes: tuple[Change, ...]
    change: int
    upto: int
    now: datetime


@dataclass(frozen=True)
class Made:
    """Rows of one span of people, `cpu_s` seconds of processor time that they took."""

    rows: pa.RecordBatch
    cpu_s: float


class Worker:
    """An engine and an open store; makes the feeds of one span of people after the other."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._store: Store = open_store(wanted.store)
        # Whoever wants the work shared checked the files once for all.
        generation = Generations(wanted.generations).load(wanted.generation_id, verify=False)
        engine = Recommender.of(generation).with_changes(wanted.changes, wanted.change)
        manifest = generation.manifest
        read = Newer(Segments(wanted.deltas, Base.of(manifest)), self._store, manifest.watermark).read(engine)
        engine = engine if read is None else engine.with_overlay(read.delta, read.change, wanted.changes)
        counts = LiveCounts(generation.contents, generation.settings.event_weights.table())
        for batch in self._store.iter_events(since=manifest.watermark, upto=wanted.upto):
            counts.take(batch)
        self.engine = counts.over(engine)
        self._for_all: Feed | None = None

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def made(self, after: int, upto: int) -> Made:
        """The feeds of the people of `after` < number ≤ `upto`, by number."""
        started = time.thread_time()
        askers = self._askers(after, upto)
        # Feeds are made of many small sums, in which threads would only wait for each other.
        with threadpool_limits(1, "blas"):
            feeds = [feed for start in range(0, len(askers), BATCH) for feed in self._feeds(askers[start : start + BATCH])]
        rows = rows_of(askers, feeds, self.engine, self._wanted.placement, made_at=self._wanted.now)
        return Made(rows, time.thread_time() - started)

    def _askers(self, after: int, upto: int) -> list[Asker]:
        askers = []
        for subject, read in self._store.read_span(after=after, upto=upto):
            if self._wanted.kind not in (None, subject.kind):
                continue
            consent = read.person.consent if read.said else self._wanted.consent_default
            if Consent.PERSONALISE in consent or not self._wanted.consenting_only:
                askers.append(Asker.of(subject, read.person, consent))
        return askers

    def _feeds(self, askers: Sequence[Asker]) -> list[Feed]:
        personal = [asker for asker in askers if Consent.PERSONALISE in asker.consent]
        made = iter(self.engine.feeds([self._query(asker) for asker in personal], now=self._wanted.now))
        return [next(made) if Consent.PERSONALISE in asker.consent else self._everybodys() for asker in askers]

    def _everybodys(self) -> Feed:
        """What who does not allow to be personalised gets, which is the same for all of them."""
        if self._for_all is None:
            [self._for_all] = self.engine.feeds([self._query(Asker.nobody())], now=self._wanted.now)
        return self._for_all

    def _query(self, asker: Asker) -> Query:
        wanted = self._wanted
        return Query(
            placement=wanted.placement,
            size=wanted.size,
            history=asker.history,
            consumed=asker.consumed,
            dismissed=asker.dismissed,
            language=wanted.language,
            filter=wanted.filter,
            audience=asker.audience(wanted.language),
            owner=asker.owner(wanted.placement),
            seen=asker.seen,
        )


_worker: Worker | None = None
"""The one worker of a process that was started to share the work."""


def start(wanted: Wanted) -> None:
    """Make this process a worker; it ends with the process that started it, and leaves it to that one to be interrupted."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    faiss.omp_set_num_threads(1)
    _worker = Worker(wanted)


def work(after: int, upto: int) -> tuple[bytes, float]:
    """`Worker.made` in a process that was made a worker: the rows as an Arrow stream, and seconds of processor time."""
    assert _worker is not None
    made = _worker.made(after, upto)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as stream:
        stream.write_batch(made.rows)
    return sink.getvalue().to_pybytes(), made.cpu_s


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
