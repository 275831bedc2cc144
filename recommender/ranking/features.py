"""Features of candidates: the one function that training and serving share, so that the ranker is served what it was taught."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.columns import StringColumn, StringListColumn
from recommender.feeds import SourceName
from recommender.generation.catalogue import Catalogue
from recommender.ranking.feature_kernels import blend_columns, features_of
from recommender.read_only import read_only
from recommender.sources import Past
from recommender.sources.content import past_vectors
from recommender.times import MISSING_TIME
from recommender.vectors import VectorIndex

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

Halves = npt.NDArray[np.int16]
FeatureArrays = tuple[Halves, Mask, Floats, Floats, np.float32, Times, Times, int, Rows, Rows, int, Rows, Halves, Times, Rows, Rows, Rows]

RANK_CONSTANT = 10
LEAST_SUM = 1e-9

FEATURES = (
    "blend",
    "blend_share",
    *(f"{name.key}.strength" for name in SourceName),
    *(f"{name.key}.rank" for name in SourceName),
    "popularity",
    "trend",
    "age_hours",
    "known_days",
    "history_length",
    "category_affinity",
    "author_affinity",
    "likeness_to_last",
    "likeness_to_recent",
    "likeness_to_all",
)
"""Names in the order of the columns.

`blend` is the weighted sum of strengths, `blend_share` the same over the query's largest; a `rank` is constant / (constant + rank),
0 without an opinion; `popularity` and `trend` are logarithms, the trend of recent over lasting popularity, each as a share of its sum;
ages are logarithms, NaN where unknown; affinities are shares of the history's weight in [0, 1]; a likeness is a cosine, NaN without
vectors.
"""

MONOTONE = tuple(int(name.startswith("blend")) for name in FEATURES)
"""Where a higher value must never lower the score."""


class MoreFacts(NamedTuple):
    """What m items after those of a generation look like, as `features_of` takes it; all read-only.

    `halves`: shape (m, d). `first_at`, `authors`: shape (m,). `offsets`: shape (m + 1,), counted on through the generation's categories
    into `categories`.
    """

    halves: Halves
    first_at: Times
    offsets: Rows
    categories: Rows
    authors: Rows

    @classmethod
    def none(cls, dimension: int) -> MoreFacts:
        """No items."""
        rows = read_only(np.zeros(0, dtype=np.int32))
        return cls(
            read_only(np.zeros((0, dimension), dtype=np.int16)), read_only(np.zeros(0, dtype=np.int64)), read_only(rows[:0]), rows, rows
        )


class ItemFacts:
    """What n items look like to the ranker, apart from what sources say of them.

    `popularity`: shape (n,), ≥ 0; `recent`: the same with a short memory; `first_at`: time of an item's first event, µs,
    `MISSING_TIME` for none.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        vectors: VectorIndex,
        has_vector: npt.NDArray[np.bool_],
        popularity: Floats,
        recent: Floats,
        first_at: npt.NDArray[np.int64],
    ) -> None:
        self.catalogue = catalogue
        self.vectors = vectors
        self.popularity = read_only(popularity)
        self.recent = read_only(recent)
        self.has_vector = read_only(has_vector)
        self.first_at = read_only(first_at)
        self.published_at = read_only(catalogue.published_at)

    def vectors_of(self, past: Past) -> Floats:
        """The vectors of a history of h items, shape (h, d)."""
        return past_vectors(past, self.vectors)

    @property
    def growth(self) -> np.float32:
        """Lasting popularity of all items over recent."""
        return np.float32(max(float(self.popularity.sum()), LEAST_SUM) / max(float(self.recent.sum()), LEAST_SUM))

    @cached_property
    def arrays(self) -> FeatureArrays:
        """All that features are made of, as `features_of` takes it: arrays of files as they are, so that processes share them."""
        categories, author = self.catalogue.column("categories"), self.catalogue.column("author")
        assert isinstance(categories, StringListColumn)
        assert isinstance(author, StringColumn)
        return (
            self.vectors.halves,
            self.has_vector,
            self.popularity,
            self.recent,
            self.growth,
            self.published_at,
            self.first_at,
            MISSING_TIME,
            read_only(categories.offsets),
            read_only(categories.codes),
            len(categories.values),
            read_only(author.codes),
            *MoreFacts.none(self.vectors.dimension),
        )


def features(facts: ItemFacts, past: Past, rows: Rows, blended: Floats, strength: Floats, source_ranks: Rows, *, now: int) -> Floats:
    """Features of the candidates `rows`, shape (m,), of one query: shape (m, len(FEATURES)), float32.

    `blended`: weighted sums, shape (m,). `strength`, `source_ranks`: shape (m, s). `now`: µs since 1970.
    """
    return features_of(
        rows,
        blended,
        np.ascontiguousarray(strength),
        np.ascontiguousarray(source_ranks),
        RANK_CONSTANT,
        past.rows,
        past.weights,
        facts.vectors_of(past),
        now,
        *facts.arrays,
    )


def with_blend(made: Floats, blended: Floats) -> None:
    """Fill in the columns of `made`, shape (m, f), that depend on the blend's weights; `blended`: weighted sums, shape (m,)."""
    blend_columns(made, blended)
