"""Item–item sources: what goes with what. A row's score is the weighted sum of its weights from the items of the history."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_of, ranked_causes, sound


class ItemItemSource:
    """`weights`, shape (n, n), CSR: row j holds what one unit of weight on item j adds to every other item.

    Several sources are of this form (`name`); they differ in how their weights were learnt and in how fast a history fades:
    an event counts `history_decay`, in (0, 1], times as much for every step that it lies back.
    """

    def __init__(self, name: SourceName, weights: sp.csr_array, history_decay: float) -> None:
        self.name = name
        self.weights = weights
        self.history_decay = history_decay

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one item of positive weight that has neighbours."""
        starts = self.weights.indptr
        return batch.counts(batch.positive & (starts[batch.rows + 1] > starts[batch.rows])) > 0

    def prepare(self, batch: Batch, now: int) -> Gathered:
        """Gather and add up the neighbours of every history."""
        return _Neighbours(self, batch)


class Gathered(ABC):
    """Scores of b histories as a sparse matrix, `sums`, shape (b, n); only those above 0 are opinions."""

    def __init__(self, batch: Batch, weights: Floats, sums: sp.csr_array) -> None:
        self.batch = batch
        self.weights = weights
        self.sums = sums
        self.sums.sort_indices()
        sound(self.sums.data)

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        found = np.full((self.batch.size, limit), -1, dtype=np.int32)
        for query in range(self.batch.size):
            part = slice(self.sums.indptr[query], self.sums.indptr[query + 1])
            rows, scores = self.sums.indices[part], self.sums.data[part]
            keep = allowed[query, rows] & (scores > 0)
            best = best_of(rows[keep], scores[keep], limit)
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        # One sorted list of (query, row) keys answers all look-ups of the batch at once.
        n = np.int64(self.batch.n)
        owners = np.repeat(np.arange(self.batch.size, dtype=np.int64), np.diff(self.sums.indptr))
        keys = owners * n + self.sums.indices
        wanted = np.arange(self.batch.size, dtype=np.int64)[:, None] * n + rows
        if not len(keys):
            return np.full(rows.shape, NO_OPINION, dtype=np.float32)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        scores = np.where(keys[at] == wanted, self.sums.data[at], 0).astype(np.float32)
        return np.where(scores > 0, scores, NO_OPINION)

    @abstractmethod
    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """See `Scorer`."""


class _Neighbours(Gathered):
    def __init__(self, source: ItemItemSource, batch: Batch) -> None:
        self._source = source
        weights = batch.decayed(source.history_decay)
        super().__init__(batch, weights, (batch.matrix(weights) @ source.weights).tocsr())

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """See `Scorer`."""
        part = self.batch.part(query)
        block = self._source.weights[self.batch.rows[part]][:, rows].toarray()
        # What was disliked may lift its opposite, but nobody wants to read that as the reason.
        liked = np.maximum(self.weights[part], 0)
        return ranked_causes((block * liked[:, None]).T)
