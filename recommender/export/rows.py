"""Feeds as rows of a table: whose, what is in it and in which order, what it rests on, and by which settings it was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.events import SubjectKind
from recommender.feeds import Basis, Feed, SourceName
from recommender.placements import Placement

_NAME = pa.dictionary(pa.int8(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kind", _NAME, nullable=False),
        pa.field("item_ids", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("scores", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
        pa.field("sources", pa.list_(pa.field("element", _NAME, nullable=False)), nullable=False),
        pa.field("basis", _NAME, nullable=False),
        pa.field("degraded", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("generation_id", _NAME, nullable=False),
        pa.field("placement", _NAME, nullable=False),
        pa.field("placement_version", _NAME, nullable=False),
        pa.field("made_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""One row for each person. `item_ids`, `scores` and `sources` are of one length, best first; `degraded` names what was left out."""

_KINDS = {kind: place for place, kind in enumerate(SubjectKind)}


def rows_of(
    askers: Sequence[Asker], feeds: Sequence[Feed], engine: Recommender, placement: Placement, *, made_at: datetime
) -> pa.RecordBatch:
    """One row for each of `askers`, none of them nobody, and of their `feeds`."""
    count = len(feeds)
    offsets = _offsets([len(feed.numbers) for feed in feeds])
    numbers = _flat([feed.numbers for feed in feeds], np.uint32)
    ids = engine.catalogue.ids_at(engine.catalogue.rows_of(numbers))
    sources = _flat([feed.sources for feed in feeds], np.uint8).astype(np.int8) - np.int8(1)
    degraded = [[left_out.what for left_out in feed.degraded] for feed in feeds]
    columns = {
        "id": pa.array([asker.subject.id for asker in askers if asker.subject is not None], type=pa.string()),
        "kind": _coded([_KINDS[asker.subject.kind] for asker in askers if asker.subject is not None], SubjectKind),
        "item_ids": pa.ListArray.from_arrays(offsets, ids.cast(pa.string()), type=SCHEMA.field("item_ids").type),
        "scores": pa.ListArray.from_arrays(
            offsets, pa.array(_flat([feed.scores for feed in feeds], np.float32)), type=SCHEMA.field("scores").type
        ),
        "sources": pa.ListArray.from_arrays(offsets, _coded(sources, SourceName), type=SCHEMA.field("sources").type),
        "basis": _coded([asker.basis(feed, engine) - 1 for asker, feed in zip(askers, feeds, strict=True)], Basis),
        "degraded": pa.array(degraded, type=SCHEMA.field("degraded").type),
        "generation_id": _same(engine.generation_id, count),
        "placement": _same(placement.name, count),
        "placement_version": _same(placement.version, count),
        "made_at": pa.array([made_at] * count, type=SCHEMA.field("made_at").type),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _offsets(lengths: Sequence[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32))


def _flat(parts: Sequence[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts]).astype(dtype, copy=False)


def _coded(places: Sequence[int] | np.ndarray, names: type[Basis] | type[SourceName] | type[SubjectKind]) -> pa.Array:
    """The lower-case names of the enumeration at `places`, which count from 0 in its order."""
    return pa.DictionaryArray.from_arrays(pa.array(places, type=pa.int8()), pa.array([name.name.lower() for name in names]))


def _same(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int8)), pa.array([text]))
