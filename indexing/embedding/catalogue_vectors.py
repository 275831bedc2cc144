"""Vectors of a whole catalogue: items' own ones, cached ones, and the model for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexing.embedding.cache import EmbeddingCache
from indexing.embedding.model import Embedder
from indexing.embedding.wanted import Wanted
from recommender.items import Item
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

OWN, NOTHING = "own", "none"
"""What stands for a model where all vectors are the items' own, and where there are none."""
CHUNK = 512
"""Texts per call of the model: large enough that sorting by length pays, small enough that a kill loses little."""


@dataclass(frozen=True, eq=False)
class CatalogueVectors:
    """`vectors`: shape (n, d), float32, unit rows, zeros where there is nothing to embed; `has_vector`: shape (n,), bool.

    `embedder` names what made them, "own" where all are the items' own, "none" where there is nothing to embed. `embedded`
    counts texts that the model had to encode, `cached` those that it had not. `own` counts the items that bring a vector, and
    `misfits` names those of them, by id, whose vector is not of length d: they are left without one.
    """

    vectors: npt.NDArray[np.float32]
    has_vector: npt.NDArray[np.bool_]
    embedder: str
    embedded: int
    cached: int
    own: int = 0
    misfits: tuple[str, ...] = ()

    def indexed(self, settings: BuildSettings) -> VectorIndex:
        """The vectors in an index, as a build with `settings` serves them."""
        content = settings.content
        return VectorIndex.build(self.vectors, exact_limit=content.exact_limit, seed=settings.seed, near=content.near)


def embed_items(
    items: Sequence[Item],
    find: Callable[[], Embedder],
    cache_folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CatalogueVectors:
    """Vectors of `items`, in their order. The model is named by `find` when some item brings no vector of its own, and
    loaded when some text is not in the cache.

    All vectors have the length of the model's, or of most items' own where no text is embedded. `progress(done, total)` counts
    texts. Raises what loading the model raises.
    """
    return embed_wanted([Wanted.of(item) for item in items], find, cache_folder, progress=progress)


def embed_wanted(
    items: Sequence[Wanted],
    find: Callable[[], Embedder],
    cache_folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CatalogueVectors:
    """What `embed_items` does, for items of which no more is there than decides their vectors."""
    wanted = sorted({item.text for item in items if item.text})
    lengths = Counter(len(item.vector) for item in items if item.vector is not None)
    by_text: dict[str, npt.NDArray[np.float32]] = {}
    embedder, cached = OWN if lengths else NOTHING, 0
    # Of lengths that are equally common the larger one is taken, so that the order of items does not matter.
    dimension = max(lengths, key=lambda length: (lengths[length], length), default=1)
    if wanted:
        model = find()
        embedder = model.name
        with EmbeddingCache(cache_folder) as cache:
            by_text = cache.get(embedder, wanted)
            cached = len(by_text)
            missing = [text for text in wanted if text not in by_text]
            progress(0, len(missing))
            loaded = model.load() if missing else None
            for start in range(0, len(missing), CHUNK):
                assert loaded is not None
                part = missing[start : start + CHUNK]
                made = dict(zip(part, loaded.encode(part), strict=True))
                cache.put(embedder, made)
                by_text.update(made)
                progress(start + len(part), len(missing))
        dimension = len(next(iter(by_text.values())))
    vectors = np.zeros((len(items), dimension), dtype=np.float32)
    misfits: list[str] = []
    for row, item in enumerate(items):
        if item.vector is not None:
            if len(item.vector) == dimension:
                vectors[row] = item.vector
            else:
                misfits.append(item.id)
        elif item.text:
            vectors[row] = by_text[item.text]
    norms = np.linalg.norm(vectors, axis=1)
    has_vector = norms > 0
    vectors[has_vector] /= norms[has_vector, None]
    return CatalogueVectors(vectors, has_vector, embedder, len(by_text) - cached, cached, sum(lengths.values()), tuple(misfits))
