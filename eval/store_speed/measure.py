"""The measurements: an import, single events, batches, and reads, each with processor and wall time."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.store_speed.drawing import Draw
from eval.world.files import EVENTS, ITEMS, write_world
from eval.world.shape import Shape
from indexing.importing import schema
from indexing.importing.column_map import parse_map
from indexing.importing.files import import_file
from indexing.importing.import_files import EVENTS_PER_WRITE, ImportRequest, import_events, import_items
from indexing.progress import reporter
from recommender.events import Consent, Event
from recommender.settings import load_settings
from recommender.store import Store, open_store

BENCHMARK = "recommender bench store"

BATCH = 100
"""Events of one call, where they come in batches."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How much is measured in each of `runs`: so many calls of one event, of a hundred events, and reads."""

    singles: int
    batches: int
    reads: int
    runs: int
    seed: int


def imported(shape: Shape, folder: Path) -> Figures:
    """Draw the world of `shape` into `folder`, import it into a store there, and time the import of the events."""
    quiet = reporter(io.StringIO())
    settings, now = load_settings(data=folder), datetime.now(UTC)
    settings.sqlite_file(BENCHMARK)
    write_world(shape, folder / "world", quiet)
    items = ImportRequest((import_file(folder / "world" / ITEMS),), parse_map(schema.ITEMS, ()))
    import_items(items, settings, now=now, reporter=quiet)
    events = ImportRequest((import_file(folder / "world" / EVENTS),), parse_map(schema.EVENTS, ()), batch=EVENTS_PER_WRITE)
    taken = _Clocks.of(lambda: import_events(events, settings, now=now, reporter=quiet))
    return {"import of a file": taken.per_event(shape.events)}


def measured(data: Path, plan: Plan, say: Callable[[str], None]) -> Figures:
    """Figures of the store in `data`, into which the events go: medians of the plan's runs."""
    path = load_settings(data=data).sqlite_file(BENCHMARK)
    runs = []
    for run in range(plan.runs):
        say(f"run {run + 1} of {plan.runs}")
        with open_store(path) as store:
            runs.append(_run(store, plan, f"{time.time_ns():x}"))
    with open_store(path) as store:
        counts = store.counts()
    holds = {"items": counts.items_live, "people": counts.users + counts.sessions, "events": counts.events, "MB": path.stat().st_size / 1e6}
    return {name: _median([run[name] for run in runs]) for name in runs[0]} | {"store": holds}


def _run(store: Store, plan: Plan, name: str) -> Figures:
    draw = Draw.of(store, seed=plan.seed, name=name)
    singles = list(draw.calls(plan.singles, 1, "first")), list(draw.calls(plan.singles, 1, "later"))
    batches = list(draw.calls(plan.batches, BATCH, "batch"))
    subjects = [draw.subject() for _ in range(plan.reads)]
    return {
        "one event a call, store just opened": _recorded(store, singles[0], draw.now),
        "a hundred events a call": _recorded(store, batches, draw.now),
        "one event a call": _recorded(store, singles[1], draw.now),
        "reads of a person": _timed([lambda subject=subject: store.read_person(subject) for subject in subjects], 1),  # type: ignore[misc]
    }


def _recorded(store: Store, calls: Iterable[list[Event]], now: datetime) -> Figures:
    def record(events: list[Event]) -> Callable[[], object]:
        return lambda: store.record_events(events, now=now, consent_default=Consent.ALL)

    made = list(calls)
    return _timed([record(events) for events in made], len(made[0]))


def _timed(calls: list[Callable[[], object]], size: int) -> Figures:
    waits = []

    def all_calls() -> None:
        for call in calls:
            begun = time.perf_counter()
            call()
            waits.append(time.perf_counter() - begun)

    taken = _Clocks.of(all_calls)
    waits.sort()
    milliseconds = {f"p{share:g} ms": 1e3 * waits[min(len(waits) - 1, int(len(waits) * share / 100))] for share in (50, 99)}
    return {**taken.per_event(size * len(calls)), **milliseconds}


@dataclass(frozen=True)
class _Clocks:
    """Seconds of processor (of all threads) and of the clock on the wall."""

    cpu: float
    wall: float

    @classmethod
    def of(cls, work: Callable[[], object]) -> _Clocks:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return cls(time.process_time() - cpu, time.perf_counter() - wall)

    def per_event(self, events: int) -> Figures:
        return {
            "events": events,
            "CPU µs each": 1e6 * self.cpu / events,
            "a second of CPU": events / self.cpu,
            "a second": events / self.wall,
        }


def _median(runs: list[Figures]) -> Figures:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
