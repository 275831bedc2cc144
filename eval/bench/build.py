"""A nightly build from end to end, measured: its stages, what it leaves on disk, and everybody's feed made from it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from eval.bench.stages import Measured, Took
from eval.world.files import EVENTS, ITEMS
from indexing.building import Outcome, reindex
from indexing.embedding.text import embedding_text
from indexing.importing.column_map import parse_map
from indexing.importing.files import import_file
from indexing.importing.import_files import ImportRequest, import_events, import_items
from indexing.importing.schema import EVENTS as EVENT_COLUMNS
from indexing.importing.schema import ITEMS as ITEM_COLUMNS
from indexing.progress import Lines, Reporter
from recommender.errors import NotFound
from recommender.export.feeds import export_feeds
from recommender.machine import interpreter, processor
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.served_profile import served_profile
from recommender.settings import Settings
from recommender.store import open_store

FEED = 30
"""Items in each exported feed."""
FORCED = "recommender bench build measures it"
ANEW = "Written anew."
"""What a changed text ends with."""

Figures = dict[str, Any]


def measure_build(
    data: Path,
    settings: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    now: datetime,
    workers: int,
    people: int | None = None,
    keep: bool = False,
    changed: float | None = None,
) -> Figures:
    """All figures of a build of `data`, as JSON shows them: a data folder, or a world's folder of import files.

    It is done in a copy, so that `data` stays as it is; with `keep` in `data` itself, where the generation stays. `workers` processes
    export, with `people` for the first so many alone. With `changed`, in (0, 1], no vector is cached at first, and a second build follows
    after that share of the items has got another text. Raises `NotFound` where `data` is neither, and what importing, building and
    exporting raises.
    """
    measured = Measured(report)
    with _folder(data, measured, now, keep=keep, cached=changed is None) as folder:
        deployment = Settings(data=folder, generations=None)
        outcome = reindex(deployment, settings, placement, measured, now=now, force="" if keep else FORCED)
        with open_store(deployment.store_place) as store:
            held = store.counts()
        nights = {} if changed is None else _second_night(deployment, settings, placement, measured, outcome, now, changed)
        exported = _exported(deployment, placement, measured, now, workers, people, folder / "feeds.parquet") if outcome.activated else None
    build = _of_the_build(measured)
    return {
        "inputs": {
            "data": str(data),
            "items": outcome.manifest.items,
            "users": held.users,
            "events": outcome.manifest.events,
            "served profile": served_profile(settings, placement),
            "embedded": outcome.embedded,
            "processors": len(os.sched_getaffinity(0)),
            "machine": processor(),
            "interpreter": interpreter(),
            **{library: version(library) for library in ("numpy", "scipy", "torch", "faiss-cpu")},
        },
        "build": {
            "wall s": sum(took.wall_s for took in build),
            "cpu s": sum(took.cpu_s for took in build),
            "peak MB": max(took.peak_mb for took in build),
            "generation MB": outcome.manifest.size_bytes / 1e6,
            "published": outcome.activated,
        },
        "stages": {name: {"wall s": took.wall_s, "cpu s": took.cpu_s, "peak MB": took.peak_mb} for name, took in measured.stages.items()},
        "parts": {name: {"wall s": seconds} for name, seconds in measured.parts.items()},
        "files": {
            name: {"MB": entry.size / 1e6}
            for name, entry in sorted(outcome.manifest.files.items(), key=lambda file: -file[1].size)
            if entry.size >= SMALL
        },
        "nights": nights,
        "export": exported,
    }


SMALL = 100_000
"""Bytes of a file from which on it is listed."""
IMPORT_ITEMS, IMPORT_EVENTS, EXPORT = "import items", "import events", "export feeds"


def _exported(
    settings: Settings, placement: Placement, measured: Measured, now: datetime, workers: int, people: int | None, output: Path
) -> Figures:
    with measured.stage(EXPORT) as advance:
        done = export_feeds(
            settings,
            placement,
            output,
            now=now,
            size=FEED,
            workers=workers,
            people=people,
            progress=lambda done, total: advance(done, total),
        )
    size = output.stat().st_size / 1e6
    output.unlink()
    return {
        **{name: value for name, value in asdict(done).items() if name != "generation_id"},
        "processes": workers,
        "feeds/s": done.feeds / done.wall_s,
        "feeds/s of processor time": done.feeds / done.cpu_s if done.cpu_s else 0.0,
        "MB": size,
    }


def _of_the_build(measured: Measured) -> list[Took]:
    return [took for name, took in measured.stages.items() if name not in (IMPORT_ITEMS, IMPORT_EVENTS, EXPORT)]


def _second_night(
    deployment: Settings, settings: BuildSettings, placement: Placement, first: Measured, outcome: Outcome, now: datetime, changed: float
) -> Figures:
    """Two nights beside each other: the first, of which nothing was cached, and one after which a share of the items has another text."""
    with open_store(deployment.store_path) as store:
        upto = store.change_sequence()
        live = [stored.item for batch in store.iter_items(upto=upto) for stored in batch if embedding_text(stored.item)]
        some = np.random.default_rng(settings.seed).choice(len(live), round(changed * len(live)), replace=False)
        store.upsert_items([replace(live[place], text=f"{live[place].text} {ANEW}".strip()) for place in np.sort(some)], now=now)
    measured = Measured(first.shown)
    later = now + timedelta(days=1)
    second = reindex(deployment, settings, placement, measured, now=later, force=FORCED)
    rows: Figures = {}
    whole = sum(took.cpu_s for took in _of_the_build(first))
    for name, night, came_to in (("first, nothing cached", first, outcome), (f"second, {changed:.1%} changed", measured, second)):
        stages = _of_the_build(night)
        cpu_s = sum(took.cpu_s for took in stages)
        rows[name] = {
            "wall s": sum(took.wall_s for took in stages),
            "cpu s": cpu_s,
            "cpu of the first": cpu_s / whole if whole else 0.0,
            "embed, cpu s": night.stages["embed"].cpu_s,
            "embedded": came_to.embedded,
            "changed": len(some) if night is measured else 0,
            "cached": came_to.cached,
        }
    return rows


@contextmanager
def _folder(data: Path, measured: Measured, now: datetime, *, keep: bool, cached: bool) -> Iterator[Path]:
    """The data folder in which to build; with vectors of builds before where `cached`."""
    is_world = (data / ITEMS).is_file() and (data / EVENTS).is_file()
    store = Settings(data=data).sqlite_file("recommender bench build")
    if not is_world and not store.is_file():
        raise NotFound("store or world in", str(data), f"a data folder, or one that holds {ITEMS} and {EVENTS}")
    if keep and not is_world:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="bench-build-", dir=data.parent) as name:
        copy = Path(name)
        if is_world:
            _import(data, Settings(data=copy, generations=None), measured, now)
        else:
            _copy(data, copy, cached=cached)
        yield copy


def _import(world: Path, settings: Settings, measured: Measured, now: datetime) -> None:
    for stage, file, schema, taken in (
        (IMPORT_ITEMS, ITEMS, ITEM_COLUMNS, import_items),
        (IMPORT_EVENTS, EVENTS, EVENT_COLUMNS, import_events),
    ):
        with measured.stage(stage):
            taken(ImportRequest((import_file(world / file),), parse_map(schema, ())), settings, now=now, reporter=Lines(StringIO()))


def _copy(data: Path, copy: Path, *, cached: bool) -> None:
    """The store of `data` as it is, and where `cached` its vectors; no generation, so that each build is a first one."""
    source, target = sqlite3.connect(data / "store.sqlite"), sqlite3.connect(copy / "store.sqlite")
    with source, target:
        source.backup(target)
    source.close()
    target.close()
    cache = Settings(data=data).cache_path
    if cached and cache.is_dir():
        (copy / cache.name).symlink_to(cache.resolve(), target_is_directory=True)
