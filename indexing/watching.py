"""The watcher: embeds what is new or has changed within seconds, and hands it to the servers as delta segments.

It follows the store's sequence of changes from where the active generation, or the newest segment on top of it, ends. Killed at any
moment it goes on from there: a segment appears whole or not at all, and vectors are cached by text.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexing.embedding import Embedder, EmbeddingModel, embed_items, find_embedder
from indexing.learn.loans import Lenders
from recommender.errors import RecommenderError
from recommender.generation import Generations
from recommender.generation.writer_lock import writer_lock
from recommender.items import Item
from recommender.profile import BuildSettings
from recommender.segments import Base, Delta, Segments
from recommender.settings import Settings
from recommender.store import Store, open_store

if TYPE_CHECKING:
    from recommender.remote.generations import RemoteGenerations

AT_ONCE = 500
"""Changes that make one segment, at the most: what comes first is not to wait for all that comes after it."""
MOST_SEGMENTS = 8
"""Beyond so many, they are made one: servers read each of them."""

UNEMBEDDED = ("own", "none")
"""Embedders of generations whose texts were not embedded."""


@dataclass(frozen=True)
class Written:
    """A segment of so many `changes`, up to `last`, on top of a `generation`: `items`, of which `embedded` texts were new to the cache, and
    `removed` ones."""

    generation: str
    last: int
    changes: int
    items: int
    embedded: int
    removed: int


@dataclass(frozen=True)
class KeptEmbedder(Embedder):
    """A model that is loaded once."""

    def load(self) -> EmbeddingModel:
        """The model, loaded the first time. Raises `InvalidInput` when it cannot be had."""
        return _loaded(Embedder(self.name, self.where, self.precision, self.commit))


@lru_cache(1)
def _loaded(embedder: Embedder) -> EmbeddingModel:
    return embedder.load()


@contextmanager
def watching(settings: Settings, *, now: datetime) -> Iterator[Watcher]:
    """The one watcher of a data folder. Raises `Locked` where there is another one, and what opening the store raises."""
    with (
        open_store(settings.store_place) as store,
        writer_lock(settings.deltas_path, now=now, what="watcher"),
    ):
        yield Watcher(settings, store)


class Watcher:
    """Writes segments of what changes in `store`; made by `watching`. `find`: names the model that a generation was built with."""

    def __init__(self, settings: Settings, store: Store, find: Callable[[BuildSettings], Embedder] | None = None) -> None:
        self._settings = settings
        self._store = store
        self._generations = Generations(settings.generations_path)
        self._remote = _remote(settings)
        self._find = find or (lambda build: find_embedder(build.embedder, build.embed_precision))
        self._on: _On | None = None

    def follow(self, *, now: datetime) -> None:
        """Have what is active at the remote place of generations be active in the data folder, where there is such a place. Raises
        `RecommenderError` where it cannot be had now; what is in the data folder is watched on."""
        if self._remote is not None:
            self._remote.follow(now=now)

    def step(self) -> Written | None:
        """Write the next segment; None where nothing is left to do, or no generation is active.

        Raises `RecommenderError` where the generation cannot be read, its model cannot be had or is another one now, or the disk is full;
        what was written stays, and another step goes on from there.
        """
        on = self._current()
        if on is None:
            return None
        changes = self._store.catalogue_changes(on.last)[:AT_ONCE]
        if not changes:
            return None
        removed = [change.number for change in changes if change.is_deletion]
        stored = self._store.get_items_by_number([change.number for change in changes if not change.is_deletion])
        vectors, embedded = self._vectors([each.item for each in stored], on)
        items = [(each.number, each.state, each.item) for each in stored]
        bare = Delta.of(items, vectors, removed, dimension=on.base.dimension)
        delta = bare if on.lenders is None else replace(bare, loans=on.lenders.loans(bare))
        on.segments.add(delta, on.last + 1, changes[-1].sequence)
        on.last = changes[-1].sequence
        if len(on.segments.names()) > MOST_SEGMENTS:
            on.segments.compact()
        return Written(on.base.generation, on.last, len(changes), len(stored), embedded, len(removed))

    def _current(self) -> _On | None:
        """The active generation and its segments; of what has become the active one since the last step, made ready."""
        current = self._generations.current_id()
        if current is None:
            return None
        if self._on is None or self._on.base.generation != current:
            manifest = self._generations.manifest(current)
            base = Base.of(manifest)
            embedder = None if manifest.embedder in UNEMBEDDED else self._embedder(BuildSettings.model_validate(manifest.profile), base)
            segments = Segments(self._settings.deltas_path, base)
            segments.drop_damaged()
            self._on = _On(base, segments, embedder, self._lenders(current), max(manifest.watermark, segments.last))
            self._forget(current)
        return self._on

    def _lenders(self, current: str) -> Lenders | None:
        """What lends to new items in a generation; None where nothing does."""
        generation = self._generations.load(current, verify=False)
        contents = generation.contents
        return Lenders.of(contents, generation.settings.transfer) if contents.lender_worth.any() else None

    def _embedder(self, build: BuildSettings, base: Base) -> KeptEmbedder:
        found = self._find(build)
        if found.name != base.embedder:
            raise RecommenderError(
                f"generation {base.generation} was embedded with {base.embedder}, and its settings name {found.name} now: their vectors "
                "cannot be compared; run `recommender reindex`"
            )
        return KeptEmbedder(found.name, found.where, found.precision, found.commit)

    def _vectors(self, items: Sequence[Item], on: _On) -> tuple[npt.NDArray[np.float32], int]:
        """Vectors of `items` as long as the generation's, zeros for none, and how many texts were not in the cache."""
        none = np.zeros((len(items), on.base.dimension), dtype=np.float32)
        embedder = on.embedder
        if embedder is None:
            items = [item if item.embedding is not None else replace(item, title="", text="") for item in items]
        made = embed_items(items, lambda: _named(embedder), self._settings.cache_path)
        return (made.vectors if made.vectors.shape == none.shape else none), made.embedded

    def _forget(self, current: str) -> None:
        """Remove the segments of generations that are no more."""
        kept = {*self._generations.ids(), current}
        for folder in self._settings.deltas_path.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def _remote(settings: Settings) -> RemoteGenerations | None:
    if settings.generations is None:
        return None
    from recommender.remote.generations import remote_of

    return remote_of(settings)


@dataclass
class _On:
    """What a watcher is on: the segments on top of `base`, which reach to the change `last`. `embedder`: None where no text is embedded.
    `lenders`: None where nothing lends."""

    base: Base
    segments: Segments
    embedder: KeptEmbedder | None
    lenders: Lenders | None
    last: int


def _named(embedder: KeptEmbedder | None) -> KeptEmbedder:
    assert embedder is not None, "texts of a generation without embedded ones are left out"
    return embedder
