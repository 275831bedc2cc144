"""A synthetic world as import files: `items.parquet`, `events.parquet`, and `world.json`, which says what they hold.

The files are written under temporary names and `world.json` last, so that a folder with one holds a whole world. What changes after its
end is in files of its own, `deltas/<items>-<number>.parquet`, each of which new and changed items come in at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eval.world.catalogue import KINDS, Catalogue, vectors, vectors_about
from eval.world.history import History
from eval.world.shape import LANGUAGES, Shape
from eval.world.words import TEXT_WORDS, TITLE_WORDS, Vocabulary
from indexing.progress import Reporter, Stage
from recommender.errors import InvalidInput
from recommender.events import EventType

ITEMS, EVENTS, WORLD = "items.parquet", "events.parquet", "world.json"
ROW_GROUP = 100_000
DELTAS = "deltas"
MOST_DELTAS = 10_000
CHANGED = 0.2
"""The share of a delta's items that were there before: their words and vector change, not what they are about."""
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


def write_deltas(world: World, count: int, items: int, reporter: Reporter) -> list[Path]:
    """Write what `count` deltas of `items` each bring to the `world`, oldest first; returns the files, those that were there too.

    A delta does not depend on how many there are. Raises `InvalidInput` for fewer than none, and for sizes that are not 1 to the world's.
    """
    shape = world.shape
    if not 0 <= count <= MOST_DELTAS:
        raise InvalidInput("deltas", count, f"0 to {MOST_DELTAS:,}")
    if not count:
        return []
    if not 1 <= items <= shape.items:
        raise InvalidInput("delta-items", items, f"1 to {shape.items:,}, the items of the world")
    (world.folder / DELTAS).mkdir(exist_ok=True)
    catalogue = Catalogue.drawn(shape)
    paths = [world.folder / DELTAS / f"{items}-{number:05}.parquet" for number in range(1, count + 1)]
    with reporter.stage("writing deltas") as stage:
        for number, path in enumerate(paths, start=1):
            if not path.exists():
                _written(path, iter([_delta(catalogue, number, items)]), items, _silent)
            stage(number, count)
    return paths


def _delta(catalogue: Catalogue, number: int, items: int) -> pa.Table:
    """Items changed and new, as a table to import; the new ones of delta 2 come after those of delta 1."""
    shape = catalogue.shape
    # Of a part that no other numbers of the world come from.
    rng = shape.rng(f"delta of {items}", number)
    changed = np.sort(rng.choice(shape.items, int(items * CHANGED), replace=False))
    new = items - len(changed)
    # A new item is about what one of the present ones is about, and of its kind and author.
    like = np.concatenate([changed, rng.integers(0, shape.items, new)])
    places = np.concatenate([changed, shape.items + (number - 1) * new + np.arange(new)])
    published = catalogue.published[like]
    published[len(changed) :] = int(shape.end.timestamp() * 1e6) + number * 1_000_000
    named = ("topic", "category", "language", "kind", "appeal", "author", "price")
    drawn = replace(catalogue, published=published, **{name: getattr(catalogue, name)[like] for name in named})
    embedding = vectors_about(shape, drawn.topic, drawn.category, rng)
    return _table(drawn, slice(0, items), places, embedding, Vocabulary(shape), rng)


def _ids(letter: str, places: npt.NDArray[np.integer]) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.cast(pa.array(places), pa.string()), "")


def _item_batches(catalogue: Catalogue) -> Iterator[pa.Table]:
    shape = catalogue.shape
    vocabulary, rng = Vocabulary(shape), shape.rng("phrases")
    start = 0
    for part in vectors(catalogue):
        chosen = slice(start, start + len(part))
        yield _table(catalogue, chosen, np.arange(start, start + len(part)), part, vocabulary, rng)
        start += len(part)


def _table(
    catalogue: Catalogue,
    chosen: slice,
    places: npt.NDArray[np.integer],
    embedding: npt.NDArray[np.float32],
    vocabulary: Vocabulary,
    rng: np.random.Generator,
) -> pa.Table:
    """The `chosen` items of a catalogue with the ids of `places`, as a table to import."""
    shape = catalogue.shape
    topics = pa.array(vocabulary.names())
    kinds = pa.array([kind.name.lower() for kind in KINDS])
    topic = catalogue.topic[chosen]
    categories = pa.array([f"category-{place}" for place in range(shape.categories)]).take(pa.array(catalogue.category[chosen]))
    price = catalogue.price[chosen]
    each = np.arange(len(topic) + 1, dtype=np.int32)
    table = pa.table(
        {
            "id": _ids("i", places),
            "kind": kinds.take(pa.array(catalogue.kind[chosen])),
            "title": vocabulary.phrases(topic, TITLE_WORDS, rng),
            "text": vocabulary.phrases(topic, shape.words or TEXT_WORDS, rng),
            "language": pa.array(LANGUAGES).take(pa.array(catalogue.language[chosen])),
            "categories": pa.ListArray.from_arrays(each, categories),
            "tags": pa.ListArray.from_arrays(each, topics.take(pa.array(topic))),
            "author": _ids("author-", catalogue.author[chosen]),
            "published_at": pa.array(catalogue.published[chosen], type=_MOMENT),
            "price": pa.array(price, mask=np.isnan(price)),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(embedding.ravel()), shape.dimension),
        }
    )
    return table.drop_columns("embedding") if shape.words else table


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


def _silent(done: int, total: int | None = None) -> None:
    """One file of many is no stage of its own."""


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
