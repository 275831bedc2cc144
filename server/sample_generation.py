"""A small made-up generation that has something for every source, for whoever needs one without data or a build."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.engine import Recommender
from recommender.feeds import SourceName
from recommender.generation import Contents, FileEntry, Generations, Manifest
from recommender.generation.catalogue import Catalogue
from recommender.graph_filter import ItemSpectrum
from recommender.items import Item, ItemKind
from recommender.lists import Lists
from recommender.placements import HISTORY_BUCKETS, Placement
from recommender.profile import BuildSettings
from recommender.ranking import FEATURES, Blend, Trees
from recommender.ranking.blend import AS_SET, EVEN, NO_CALIBRATION
from recommender.search.word_index import WordIndex
from recommender.sequence_model import WIDENING, SequenceModel
from recommender.sources import whitened
from recommender.store import Store
from recommender.times import to_micros
from recommender.vectors import VectorIndex

CATEGORIES = ("comedy", "drama", "news")
DIMENSION = 32
WIDTH = 16
"""Numbers of an item in what is learnt of it."""
POSITIONS = 20
HEADS = 2
NEAR = 20
FILLED = 0.02
"""Share of all pairs of items that lists hold."""

Floats = npt.NDArray[np.float32]


def sample_items(n: int, now: datetime) -> list[Item]:
    """n items of all kinds in three categories, one published every hour up to `now`."""
    kinds = tuple(ItemKind)
    return [
        Item(
            id=f"sample-{place}",
            kind=kinds[place % len(kinds)],
            title=f"Sample {place}",
            text=f"A {CATEGORIES[place % len(CATEGORIES)]}.",
            language="en" if place % 2 else "de",
            categories=(CATEGORIES[place % len(CATEGORIES)],),
            tags=(f"tag-{place % 5}",),
            author=f"author-{place % 4}",
            published_at=now - timedelta(hours=place),
            price=float(place),
            attributes={"year": 2000 + place},
        )
        for place in range(n)
    ]


def sample_vectors(n: int, seed: int = 0) -> Floats:
    """n unit vectors of `DIMENSION` numbers, drawn with `seed`: shape (n, DIMENSION), float32."""
    vectors = np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def publish_sample(generations: Generations, store: Store, *, now: datetime, learned: bool, exact_limit: int, seed: int = 0) -> str:
    """Publish a generation of the items in `store`, whose numbers are drawn with `seed`, and return its id.

    `learned` says whether it has a blend with trees, as where there was enough to learn one from, or none. Vectors of more items than
    `exact_limit` are compressed, where there are as many as that takes.
    """
    watermark = store.change_sequence()
    stored = [item for batch in store.iter_items(upto=watermark) for item in batch]
    settings = BuildSettings()
    settings = settings.model_copy(update={"content": settings.content.model_copy(update={"exact_limit": exact_limit, "near": NEAR})})
    contents = _contents(Catalogue.of([(each.number, each.state, each.item) for each in stored]), settings, now, learned, seed)
    alike = Recommender.unpublished(contents, settings).alike_lists(Placement(name="sample"), now=now)
    contents = replace(contents, alike=alike)

    def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            id=generation_id,
            created_at=now,
            parent=None,
            items=len(stored),
            events=0,
            watermark=watermark,
            profile=settings.model_dump(mode="json"),
            profile_hash=settings.hash,
            embedder="drawn",
            dimension=DIMENSION,
            seed=seed,
            libraries={},
            judged="nothing",
            metrics=(),
            checks=(),
            files=files,
        )

    manifest = generations.add(contents, describe, now=now)
    generations.activate(manifest.id, now=now)
    return manifest.id


def _contents(catalogue: Catalogue, settings: BuildSettings, now: datetime, learned: bool, seed: int) -> Contents:
    n, rng = catalogue.n, np.random.default_rng(seed)

    def drawn(*shape: int) -> Floats:
        return rng.normal(scale=0.3, size=shape).astype(np.float32)

    def lists() -> Lists:
        weights = rng.uniform(0.1, 1, (n, n)) * (rng.random((n, n)) < FILLED)
        np.fill_diagonal(weights, 0)
        return Lists.of(sp.csr_array(weights.astype(np.float32)))

    popularity = np.linspace(9, 1, n, dtype=np.float32)
    wide = WIDENING * WIDTH
    return Contents(
        catalogue=catalogue,
        vectors=VectorIndex.build(sample_vectors(n, seed), exact_limit=settings.content.exact_limit, seed=seed, near=settings.content.near),
        has_vector=np.ones(n, dtype=np.bool_),
        factors=whitened(drawn(n, WIDTH), settings.collaborative.regularisation),
        confidence=settings.collaborative.alpha,
        item_item=lists(),
        transitions=lists(),
        co_occurrence=lists(),
        transfer=lists(),
        graph=ItemSpectrum(drawn(n, WIDTH), np.ones(n, dtype=np.float32), np.ones(n, dtype=np.float32), np.ones(WIDTH, dtype=np.float32)),
        sequence=SequenceModel(
            items=drawn(n, WIDTH),
            bias=drawn(n),
            positions=drawn(POSITIONS, WIDTH),
            attention=drawn(1, WIDTH + 1, 4 * WIDTH),
            widening=drawn(1, WIDTH + 1, wide),
            narrowing=drawn(1, wide + 1, WIDTH),
            norms=np.stack([np.stack([np.ones(WIDTH), np.zeros(WIDTH)])] * 3).astype(np.float32),
            heads=HEADS,
        ),
        popularity=popularity,
        recent_popularity=popularity,
        response=popularity,
        first_at=np.full(n, to_micros(now - timedelta(days=30))),
        blend=_blend() if learned else None,
        words=WordIndex.of(catalogue),
    )


def _blend() -> Blend:
    """Every source counts the same, and one tree asks for the first feature."""
    tree = Trees(
        features=len(FEATURES),
        feature=np.array([0, -1, -1], dtype=np.int16),
        threshold=np.zeros(3, dtype=np.float32),
        missing_left=np.array([True, False, False]),
        left=np.array([1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1], dtype=np.int32),
        value=np.array([0, 0, 1], dtype=np.float32),
        offsets=np.array([0, 3], dtype=np.int32),
    )
    weights = np.ones((len(HISTORY_BUCKETS), len(SourceName)), dtype=np.float32)
    return Blend(weights, EVEN, tree, NO_CALIBRATION, AS_SET)
