"""Generations made by hand from a few arrays, whose right answers can be read off them; nothing is learnt or stored.

Item numbers differ from rows on purpose (row r holds number 10 + 3r), so that a mix-up of the two cannot pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import PERSONAL_SOURCES, Feed, Query, SourceName
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.graph_filter import ItemSpectrum
from recommender.items import Item, ItemKind, ItemState
from recommender.lists import Lists
from recommender.people import HISTORY_DTYPE, History
from recommender.placements import HISTORY_BUCKETS, Placement
from recommender.profile import BuildSettings
from recommender.ranking import FEATURES, Blend, Trees
from recommender.ranking.blend import EVEN
from recommender.search.word_index import WordIndex
from recommender.sequence_model import SequenceModel
from recommender.sources import whitened
from recommender.times import MISSING_TIME
from recommender.vectors import VectorIndex

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
HOME = Placement(name="home")
CONFIDENCE = 5.0
"""What a unit of weight adds in fold-ins of factors made by hand."""
PERSONAL = tuple(sorted(PERSONAL_SOURCES))


def number_of(row: int) -> int:
    """The permanent number of the item in `row`."""
    return 10 + 3 * row


def rows_in(feed: Feed) -> list[int]:
    """Rows of a feed's items, best first."""
    return [(int(number) - 10) // 3 for number in feed.numbers]


def some_items(n: int) -> list[Item]:
    """n films, film r published r hours ago."""
    return [Item(id=f"item-{row}", kind=ItemKind.MEDIA, title=f"Title {row}", published_at=NOW - timedelta(hours=row)) for row in range(n)]


def catalogue_of(items: Sequence[Item], states: Sequence[ItemState] = ()) -> Catalogue:
    """The catalogue of `items`, all live unless `states` says otherwise."""
    given = states or [ItemState.LIVE] * len(items)
    return Catalogue.of([(number_of(row), state, item) for row, (state, item) in enumerate(zip(given, items, strict=True))])


def unit(vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """The rows of `vectors` at length 1; zero rows stay."""
    given = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    return given / np.where(lengths > 0, lengths, 1)


def contents_of(
    items: Sequence[Item],
    *,
    vectors: npt.ArrayLike | None = None,
    factors: npt.ArrayLike | None = None,
    item_item: npt.ArrayLike | None = None,
    popularity: npt.ArrayLike | None = None,
    response: npt.ArrayLike | None = None,
    transitions: npt.ArrayLike | None = None,
    co_occurrence: npt.ArrayLike | None = None,
    transfer: npt.ArrayLike | None = None,
    graph: npt.ArrayLike | None = None,
    sequence: npt.ArrayLike | None = None,
    blend: Blend | None = None,
    states: Sequence[ItemState] = (),
) -> Contents:
    """Contents of these arrays; what is not given is zero, so that its source has no say.

    `graph`: vectors of the items' spectrum, shape (n, k), all of gain 1. `sequence`: embeddings, shape (n, d), as `sequence_of` takes
    them.
    """
    n = len(items)
    weights = {"item_item": item_item, "transitions": transitions, "co_occurrence": co_occurrence, "transfer": transfer}
    popular = np.zeros(n, dtype=np.float32) if popularity is None else np.asarray(popularity, dtype=np.float32)
    spectrum = np.zeros((n, 0), dtype=np.float32) if graph is None else np.asarray(graph, dtype=np.float32)
    degrees = np.any(spectrum != 0, axis=1).astype(np.float32)
    given = np.zeros((n, 4), dtype=np.float32) if vectors is None else unit(vectors)
    catalogue = catalogue_of(items, states)
    return Contents(
        catalogue=catalogue,
        vectors=VectorIndex.build(given, exact_limit=20_000, seed=0),
        has_vector=np.any(given != 0, axis=1),
        factors=whitened(
            np.zeros((n, 2), dtype=np.float32) if factors is None else np.asarray(factors, dtype=np.float32),
            BuildSettings().collaborative.regularisation,
        ),
        confidence=CONFIDENCE,
        **{name: Lists.of(sp.csr_array((n, n) if rows is None else np.asarray(rows), dtype=np.float32)) for name, rows in weights.items()},
        graph=ItemSpectrum(spectrum, degrees, degrees, np.ones(spectrum.shape[1], dtype=np.float32)),
        sequence=SequenceModel.none(n) if sequence is None else sequence_of(sequence),
        popularity=popular,
        recent_popularity=popular,
        response=np.zeros(n, dtype=np.float32) if response is None else np.asarray(response, dtype=np.float32),
        first_at=np.full(n, MISSING_TIME),
        blend=blend,
        words=WordIndex.of(catalogue),
    )


def sequence_of(items: npt.ArrayLike, length: int = 50) -> SequenceModel:
    """A model with one block that goes by the mean of the history's items, and by the newest one a little more.

    `items`: embeddings, shape (n, d); items with all-zero ones are unknown.
    """
    given = np.asarray(items, dtype=np.float32)
    d = given.shape[1]
    nothing, alike = np.zeros((d, d)), np.vstack([np.ones(d), np.zeros(d)])
    matrices = np.vstack([np.hstack([nothing, nothing, np.eye(d), np.eye(d)]), np.zeros((1, 4 * d))])
    return SequenceModel(
        items=given,
        bias=np.zeros(len(given), dtype=np.float32),
        positions=np.zeros((length, d), dtype=np.float32),
        attention=matrices[None].astype(np.float32),
        widening=np.zeros((1, d + 1, 4 * d), dtype=np.float32),
        narrowing=np.zeros((1, 4 * d + 1, d), dtype=np.float32),
        norms=np.stack([alike] * 3).astype(np.float32),
        heads=1,
    )


def checkerboard(n: int = 40, items: Sequence[Item] | None = None, *, seed: int = 0) -> Contents:
    """n items of which people like either the even or the odd ones; every source knows it. Later rows are less popular."""
    rng = np.random.default_rng(seed)
    parity = np.arange(n) % 2
    together = (parity[:, None] == parity[None, :]) & ~np.eye(n, dtype=np.bool_)
    sides = np.eye(2)[parity]

    def near() -> npt.NDArray[np.float64]:
        return together * rng.uniform(0.5, 1.5, (n, n))

    return contents_of(
        some_items(n) if items is None else items,
        vectors=np.hstack([sides, np.zeros((n, 2))]) + rng.normal(scale=0.05, size=(n, 4)),
        factors=sides + rng.normal(scale=0.05, size=(n, 2)),
        item_item=near(),
        popularity=1 / (1 + np.arange(n)),
        response=0.5 + np.arange(n) * 7 % 5,
        transitions=near(),
        co_occurrence=near(),
        transfer=near(),
        graph=sides + rng.normal(scale=0.05, size=(n, 2)),
        sequence=0.5 * np.hstack([sides, rng.normal(scale=0.2, size=(n, 10))]),
    )


def stumps(*asked: tuple[str, float, float, float]) -> Trees:
    """One tree for each (feature, threshold, value up to it or where it is missing, value above)."""
    count = len(asked)
    return Trees(
        features=len(FEATURES),
        feature=np.array([each for name, *_ in asked for each in (FEATURES.index(name), -1, -1)], dtype=np.int16),
        threshold=np.array([each for _, threshold, *_ in asked for each in (threshold, 0, 0)], dtype=np.float32),
        missing_left=np.array([True, False, False] * count),
        left=np.array([each for tree in range(count) for each in (3 * tree + 1, -1, -1)], dtype=np.int32),
        right=np.array([each for tree in range(count) for each in (3 * tree + 2, -1, -1)], dtype=np.int32),
        value=np.array([each for *_, low, high in asked for each in (0, low, high)], dtype=np.float32),
        offsets=np.arange(0, 3 * count + 1, 3, dtype=np.int32),
    )


def blend_of(weights: npt.ArrayLike, trees: Trees | None = None, *, slope: float = 1.0, offset: float = 0.0) -> Blend:
    """A learned blend of these weights, shape (s,) for histories of every length or (4, s), that takes scores as they are."""
    given = np.broadcast_to(np.asarray(weights, dtype=np.float32), (len(HISTORY_BUCKETS), len(SourceName)))
    return Blend(given.copy(), EVEN, trees, np.array([slope, offset]))


def blend_by(trees: Trees | None = None, *, slope: float = 1.0, offset: float = 0.0, **weights: float) -> Blend:
    """The same with weights by key of the source, 0 for what is not named."""
    return blend_of([weights.get(name.key, 0.0) for name in SourceName], trees, slope=slope, offset=offset)


def engine_of(contents: Contents, settings: BuildSettings | None = None) -> Recommender:
    """The engine of `contents`, by default with the default build settings."""
    return Recommender.unpublished(contents, settings or BuildSettings())


def history_of(*rows: int, type: EventType = EventType.LIKE, value: float = float("nan")) -> History:
    """One event for each of `rows`, a minute apart, oldest first."""
    events = [(number_of(row), type, value, 60_000_000 * at) for at, row in enumerate(rows)]
    return np.array(events, dtype=HISTORY_DTYPE)


def feed_of(engine: Recommender, query: Query, *, now: datetime = NOW) -> Feed:
    """The feed that answers one query."""
    [feed] = engine.feeds([query], now=now)
    return feed


def assert_same_feed(ours: Feed, theirs: Feed) -> None:
    """Both feeds are the same, bit for bit."""
    for name in ("numbers", "scores", "sources", "contributions", "source_ranks", "probabilities"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    for name in ("reasons", "eligible", "retrieval_mode", "degraded"):
        assert getattr(ours, name) == getattr(theirs, name), name
