"""What a build reads: the catalogue and all events of the store, up to one point of its change sequence."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recommender.event_table import EventTable
from recommender.events import WITH_PORTION
from recommender.generation.catalogue import Catalogue
from recommender.items import Item
from recommender.store import Store


@dataclass(frozen=True, eq=False)
class Snapshot:
    """`items`: live and hidden ones in order of number, row by row the same as `catalogue`. `watermark`: change sequence."""

    items: list[Item]
    catalogue: Catalogue
    events: EventTable
    watermark: int


def read_snapshot(
    store: Store, *, upto: int | None = None, progress: Callable[[str, int, int], None] = lambda what, done, total: None
) -> Snapshot:
    """Read the store up to the change sequence `upto`, its present one without it. `progress(what, done, total)` counts "items" and
    "events"."""
    with _no_search_for_cycles():
        return _read(store, store.change_sequence() if upto is None else upto, progress)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """What is read makes no cycles, and is so many objects that looking for them takes half of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _read(store: Store, watermark: int, progress: Callable[[str, int, int], None]) -> Snapshot:
    counts = store.counts()
    stored = []
    for items in store.iter_items(upto=watermark):
        stored += items
        progress("items", len(stored), counts.items_live + counts.items_hidden)
    stored.sort(key=lambda entry: entry.number)
    catalogue = Catalogue.of([(entry.number, entry.state, entry.item) for entry in stored])
    batches: list[pa.RecordBatch] = []
    done = 0
    for batch in store.iter_events(upto=watermark):
        batches.append(batch)
        done += batch.num_rows
        progress("events", done, counts.events)
    events = _event_table(batches)
    batches.clear()
    # Arrow would go on holding what the batches took, which is more than the events do.
    pa.default_memory_pool().release_unused()
    return Snapshot([entry.item for entry in stored], catalogue, events, watermark)


def _event_table(batches: list[pa.RecordBatch]) -> EventTable:
    if not batches:
        empty = np.zeros(0)
        return EventTable.sorted(
            empty.astype(np.uint32),
            empty.astype(np.uint32),
            empty.astype(np.uint8),
            empty.astype(np.float32),
            empty.astype(np.int64),
            empty.astype(np.uint8),
            empty.astype(np.int64),
        )
    table = pa.Table.from_batches(batches)
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    # As in a person's stored history: the portion for read and watch, and the event's value for all else.
    value = np.where(np.isin(columns["type"], sorted(WITH_PORTION)), columns["portion"], columns["value"])
    return EventTable.sorted(
        columns["person"], columns["item"], columns["type"], value, columns["at"], columns["consent"], columns["sequence"]
    )
