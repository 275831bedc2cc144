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
from recommender.feeds import Feed, Query, SourceName
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.people import HISTORY_DTYPE, History
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
HOME = Placement(name="home")
PERSONAL = (SourceName.CONTENT, SourceName.COLLABORATIVE, SourceName.ITEM_ITEM)


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
    states: Sequence[ItemState] = (),
) -> Contents:
    """Contents of these arrays; what is not given is zero, so that its source has no say."""
    n = len(items)
    given = np.zeros((n, 4), dtype=np.float32) if vectors is None else unit(vectors)
    return Contents(
        catalogue=catalogue_of(items, states),
        vectors=VectorIndex.build(given, exact_limit=20_000, seed=0),
        has_vector=np.any(given != 0, axis=1),
        factors=np.zeros((n, 2), dtype=np.float32) if factors is None else np.asarray(factors, dtype=np.float32),
        item_item=sp.csr_array(np.zeros((n, n)) if item_item is None else np.asarray(item_item), dtype=np.float32),
        popularity=np.zeros(n, dtype=np.float32) if popularity is None else np.asarray(popularity, dtype=np.float32),
    )


def checkerboard(n: int = 40, items: Sequence[Item] | None = None, *, seed: int = 0) -> Contents:
    """n items of which people like either the even or the odd ones; every source knows it. Later rows are less popular."""
    rng = np.random.default_rng(seed)
    parity = np.arange(n) % 2
    together = (parity[:, None] == parity[None, :]) * rng.uniform(0.5, 1.5, (n, n))
    np.fill_diagonal(together, 0)
    sides = np.eye(2)[parity]
    return contents_of(
        some_items(n) if items is None else items,
        vectors=np.hstack([sides, np.zeros((n, 2))]) + rng.normal(scale=0.05, size=(n, 4)),
        factors=sides + rng.normal(scale=0.05, size=(n, 2)),
        item_item=together,
        popularity=1 / (1 + np.arange(n)),
    )


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
