"""Item–item source: what goes with what. A row's score is the weighted sum of its weights from the items of the history."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.profile import ItemItem
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_of, ranked_causes


class ItemItemSource:
    """`weights`, shape (n, n), CSR: row j holds what one unit of weight on item j adds to every other item."""

    name = SourceName.ITEM_ITEM

    def __init__(self, weights: sp.csr_array, settings: ItemItem) -> None:
        self.weights = weights
        self.settings = settings

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one item of positive weight that has neighbours."""
        starts = self.weights.indptr
        return batch.counts(batch.positive & (starts[batch.rows + 1] > starts[batch.rows])) > 0

    def prepare(self, batch: Batch, now: int) -> _Gathered:
        """Gather and add up the neighbours of every history."""
        return _Gathered(self, batch)


class _Gathered:
    def __init__(self, source: ItemItemSource, batch: Batch) -> None:
        self._source = source
        self._batch = batch
        self._weights = batch.decayed(source.settings.history_decay)
        self._sums = (batch.matrix(self._weights) @ source.weights).tocsr()
        self._sums.sort_indices()

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        found = np.full((self._batch.size, limit), -1, dtype=np.int32)
        for query in range(self._batch.size):
            part = slice(self._sums.indptr[query], self._sums.indptr[query + 1])
            rows, scores = self._sums.indices[part], self._sums.data[part]
            keep = allowed[query, rows] & (scores > 0)
            best = best_of(rows[keep], scores[keep], limit)
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        # One sorted list of (query, row) keys answers all look-ups of the batch at once.
        n = np.int64(self._batch.n)
        owners = np.repeat(np.arange(self._batch.size, dtype=np.int64), np.diff(self._sums.indptr))
        keys = owners * n + self._sums.indices
        wanted = np.arange(self._batch.size, dtype=np.int64)[:, None] * n + rows
        if not len(keys):
            return np.full(rows.shape, NO_OPINION, dtype=np.float32)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        scores = np.where(keys[at] == wanted, self._sums.data[at], 0).astype(np.float32)
        return np.where(scores > 0, scores, NO_OPINION)

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        part = self._batch.part(query)
        history = self._batch.rows[part]
        block = self._source.weights[history][:, rows].toarray()
        # What was disliked may lift its opposite, but nobody wants to read that as the reason.
        liked = np.maximum(self._weights[part], 0)
        return ranked_causes((block * liked[:, None]).T)
