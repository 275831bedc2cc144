"""Features of candidates: the one function that training and serving share, so that the ranker is served what it was taught."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.columns import StringColumn, StringListColumn
from recommender.feeds import SourceName
from recommender.generation.catalogue import Catalogue
from recommender.kernels import affinities, shares_alike
from recommender.sources import Past
from recommender.times import MISSING_TIME
from recommender.vectors import VectorIndex

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

RECENT = 5
"""Newest items of a history that short-term likeness goes by."""
RANK_CONSTANT = 10
_HOUR_US = 3_600_000_000

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
        self.has_vector = has_vector
        self.popularity = popularity
        self.recent = recent
        self.first_at = first_at

    @cached_property
    def categories(self) -> sp.csr_array:
        """Items by categories, rows summing to 1 or 0, float32."""
        column = self.catalogue.column("categories")
        assert isinstance(column, StringListColumn)
        counts = np.diff(column.offsets)
        weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
        matrix = sp.csr_array((weights, column.codes, column.offsets), shape=(self.catalogue.n, len(column.values)))
        matrix.sum_duplicates()
        return matrix

    @cached_property
    def authors(self) -> npt.NDArray[np.int32]:
        """Code of each item's author, shape (n,), -1 for none."""
        column = self.catalogue.column("author")
        assert isinstance(column, StringColumn)
        return column.codes.astype(np.int32)

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
    weights = np.maximum(past.weights, 0)
    history = past.rows[weights > 0]
    share = (weights[weights > 0] / max(float(weights.sum()), 1e-9)).astype(np.float32)
    s = len(SourceName)
    made = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
    with_blend(made, blended)
    made[:, 2 : 2 + s] = strength
    made[:, 2 + s : 2 + 2 * s] = np.where(source_ranks > 0, RANK_CONSTANT / (RANK_CONSTANT + source_ranks), 0)
    rest = made[:, 2 + 2 * s :]
    rest[:, 0] = facts.popularity_log[rows]
    rest[:, 1] = facts.trend[rows]
    rest[:, 2] = np.log1p(_elapsed(facts.catalogue.published_at[rows], now) / _HOUR_US)
    rest[:, 3] = np.log1p(_elapsed(facts.first_at[rows], now) / (24 * _HOUR_US))
    rest[:, 4] = np.log1p(len(history))
    rest[:, 5] = _category_affinity(facts, history, share, rows)
    rest[:, 6] = _author_affinity(facts, history, share, rows)
    rest[:, 7:10] = _likeness(facts, history, share, rows)
    return made


def with_blend(made: Floats, blended: Floats) -> None:
    """Fill in the columns of `made`, shape (m, f), that depend on the blend's weights; `blended`: weighted sums, shape (m,)."""
    made[:, 0] = blended
    made[:, 1] = blended / max(float(blended.max(initial=0)), 1e-9)


def _elapsed(at: npt.NDArray[np.int64], now: int) -> npt.NDArray[np.float64]:
    """Time from `at` to `now`, at least 0, NaN where `at` is missing."""
    return np.where(at == MISSING_TIME, np.nan, np.maximum(now - at, 0))


def _category_affinity(facts: ItemFacts, history: Rows, share: Floats, rows: Rows) -> Floats:
    categories = facts.categories
    return affinities(categories.indptr, categories.indices, categories.data, history, share, rows, categories.shape[1])


def _author_affinity(facts: ItemFacts, history: Rows, share: Floats, rows: Rows) -> Floats:
    return shares_alike(facts.authors[history], share, facts.authors[rows])


def _likeness(facts: ItemFacts, history: Rows, share: Floats, rows: Rows) -> Floats:
    """Cosine to the last item, the largest to the last few, and the one to the weighted mean of all, shape (m, 3)."""
    made = np.full((len(rows), 3), np.nan, dtype=np.float32)
    known = facts.has_vector[history]
    history, share = history[known], share[known]
    if not len(history) or not facts.vectors.dimension:
        return made
    there = np.flatnonzero(facts.has_vector[rows])
    past = facts.vectors.gather(history)
    mean = share @ past
    asked = np.concatenate([past[-RECENT:], (mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9)))[None]])
    cosines = facts.vectors.cosines(rows[there], asked)
    made[there, 0] = cosines[:, -2]
    made[there, 1] = cosines[:, :-1].max(axis=1)
    made[there, 2] = cosines[:, -1]
    return made
