"""Features of candidates: the one function that training and serving share, so that the ranker is served what it was taught."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

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

RANK_CONSTANT = 10

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
0 without an opinion; `popularity` and `trend` are logarithms, the trend of recent over lasting popularity; ages are logarithms, NaN
where unknown; affinities are shares of the history's weight in [0, 1]; a likeness is a cosine, NaN without vectors.
"""

MONOTONE = tuple(int(name.startswith("blend")) for name in FEATURES)
"""Where a higher value must never lower the score."""


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
        self.popularity = popularity
        self.recent = recent
        self.has_vector = read_only(has_vector)
        self.first_at = read_only(first_at)
        self.published_at = read_only(catalogue.published_at)

    @cached_property
    def categories(self) -> sp.csr_array:
        """Items by categories, rows summing to 1 or 0, float32, with int32 indices."""
        column = self.catalogue.column("categories")
        assert isinstance(column, StringListColumn)
        counts = np.diff(column.offsets)
        weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        parts = (weights, column.codes.astype(np.int32), column.offsets.astype(np.int32))
        matrix = sp.csr_array(parts, shape=(self.catalogue.n, len(column.values)))
        matrix.sum_duplicates()
        return matrix

    @cached_property
    def authors(self) -> npt.NDArray[np.int32]:
        """Code of each item's author, shape (n,), -1 for none."""
        column = self.catalogue.column("author")
        assert isinstance(column, StringColumn)
        return column.codes.astype(np.int32)

    @cached_property
    def arrays(
        self,
    ) -> tuple[npt.NDArray[np.int16], Mask, Floats, Floats, Times, Times, int, Rows, Rows, Floats, int, Rows]:
        """All that features are made of, as `features_of` takes it."""
        categories = self.categories
        return (
            self.vectors.halves,
            self.has_vector,
            self.popularity_log,
            self.trend,
            self.published_at,
            self.first_at,
            MISSING_TIME,
            categories.indptr,
            categories.indices,
            categories.data,
            categories.shape[1],
            self.authors,
        )

    @cached_property
    def popularity_log(self) -> Floats:
        """log(1 + popularity), shape (n,)."""
        return np.log1p(self.popularity)

    @cached_property
    def trend(self) -> Floats:
        """log of recent over lasting popularity, each as a share of its sum, shape (n,); 0 where both are as large."""
        recent = (self.recent + 1e-3) / max(float(self.recent.sum()), 1e-9)
        lasting = (self.popularity + 1e-3) / max(float(self.popularity.sum()), 1e-9)
        trend: Floats = np.log(recent / lasting).astype(np.float32)
        return trend


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
        past_vectors(past, facts.vectors),
        now,
        *facts.arrays,
    )


def with_blend(made: Floats, blended: Floats) -> None:
    """Fill in the columns of `made`, shape (m, f), that depend on the blend's weights; `blended`: weighted sums, shape (m,)."""
    blend_columns(made, blended)
