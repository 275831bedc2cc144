"""A synthetic world as import files: `items.parquet`, `events.parquet`, and `world.json`, which says what they hold.

The files are written under temporary names and `world.json` last, so that a folder with one holds a whole world.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eval.world.catalogue import KINDS, Catalogue, vectors
from eval.world.history import History
from eval.world.shape import LANGUAGES, Shape
from eval.world.words import TEXT_WORDS, TITLE_WORDS, Vocabulary
from indexing.progress import Reporter, Stage
from recommender.errors import InvalidInput
from recommender.events import EventType

ITEMS, EVENTS, WORLD = "items.parquet", "events.parquet", "world.json"
ROW_GROUP = 100_000
_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class World:
    """A written world: its folder and shape, and how many of its people have events."""

    folder: Path
    shape: Shape
    people: int


def write_world(shape: Shape, folder: Path, reporter: Reporter) -> World:
    """Draw the world of `shape` and write it to `folder`, which may hold the same world already, then nothing is done.

    Raises `InvalidInput` where the folder holds another world or other files of these names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / WORLD
    if told.exists():
        found = json.loads(told.read_text(encoding="utf-8"))
        if found["shape"] != shape.described():
            raise InvalidInput("folder", str(folder), f"an empty one, or one with the same world; it holds {found['shape']}")
        return World(folder, shape, int(found["people"]))
    for name in (ITEMS, EVENTS):
        if (folder / name).exists():
            raise InvalidInput("folder", str(folder), f"an empty one; it holds {name} and no {WORLD}")
    with reporter.stage("drawing items"):
        catalogue = Catalogue.drawn(shape)
    with reporter.stage("writing items") as stage:
        _written(folder / ITEMS, _item_batches(catalogue), shape.items, stage)
    with reporter.stage("drawing events"):
        history = History.drawn(catalogue)
    with reporter.stage("writing events") as stage:
        _written(folder / EVENTS, _event_batches(history), shape.events, stage)
    people = len(np.unique(history.user))
    whole = {"shape": shape.described(), "people": people, "topics": shape.topics, "from": shape.start.isoformat()}
    temporary = told.with_suffix(".tmp")
    temporary.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, told)
    return World(folder, shape, people)


def _ids(letter: str, places: npt.NDArray[np.integer]) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.cast(pa.array(places), pa.string()), "")


def _item_batches(catalogue: Catalogue) -> Iterator[pa.Table]:
    shape = catalogue.shape
    vocabulary, rng = Vocabulary(shape), shape.rng("phrases")
    topics = pa.array(vocabulary.names())
    kinds = pa.array([kind.name.lower() for kind in KINDS])
    start = 0
    for part in vectors(catalogue):
        chosen = slice(start, start + len(part))
        topic = catalogue.topic[chosen]
        categories = pa.array([f"category-{place}" for place in range(shape.categories)]).take(pa.array(catalogue.category[chosen]))
        price = catalogue.price[chosen]
        yield pa.table(
            {
                "id": _ids("i", np.arange(start, start + len(part))),
                "kind": kinds.take(pa.array(catalogue.kind[chosen])),
                "title": vocabulary.phrases(topic, TITLE_WORDS, rng),
                "text": vocabulary.phrases(topic, TEXT_WORDS, rng),
                "language": pa.array(LANGUAGES).take(pa.array(catalogue.language[chosen])),
                "categories": pa.ListArray.from_arrays(np.arange(len(part) + 1, dtype=np.int32), categories),
                "tags": pa.ListArray.from_arrays(np.arange(len(part) + 1, dtype=np.int32), topics.take(pa.array(topic))),
                "author": _ids("author-", catalogue.author[chosen]),
                "published_at": pa.array(catalogue.published[chosen], type=_MOMENT),
                "price": pa.array(price, mask=np.isnan(price)),
                "embedding": pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), shape.dimension),
            }
        )
        start += len(part)


def _event_batches(history: History) -> Iterator[pa.Table]:
    types = pa.array([EventType(place).name.lower() if place else "" for place in range(max(EventType) + 1)])
    for start in range(0, len(history.at), ROW_GROUP):
        chosen = slice(start, start + ROW_GROUP)
        portion = history.portion[chosen]
        yield pa.table(
            {
                "type": types.take(pa.array(history.type[chosen])),
                "user_id": _ids("u", history.user[chosen]),
                "item_id": _ids("i", history.item[chosen]),
                "at": pa.array(history.at[chosen], type=_MOMENT),
                "portion": pa.array(portion, mask=np.isnan(portion)),
            }
        )


def _written(path: Path, batches: Iterator[pa.Table], total: int, stage: Stage) -> None:
    temporary = path.with_suffix(".tmp")
    done, writer = 0, None
    try:
        for batch in batches:
            writer = writer or pq.ParquetWriter(temporary, batch.schema, compression="zstd")
            writer.write_table(batch)
            done += len(batch)
            stage(done, total)
    finally:
        if writer is not None:
            writer.close()
    os.replace(temporary, path)
