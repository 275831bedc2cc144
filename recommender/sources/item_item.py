"""Item–item sources: what goes with what. A row's score is the weighted sum of its weights from the items of the history."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.kernels import best_summed, entries, looked_up, sum_lists
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, ranked_causes, sound


class ItemItemSource:
    """`weights`, shape (n, n), CSR: row j holds what one unit of weight on item j adds to every other item.

    Several sources are of this form (`name`); they differ in how their weights were learnt and in how fast a history fades:
    an event counts `history_decay`, in (0, 1], times as much for every step that it lies back.
    """

    scans = False

    def __init__(self, name: SourceName, weights: sp.csr_array, history_decay: float) -> None:
        self.name = name
        self.weights = weights
        self.history_decay = history_decay

    def has_opinion(self, past: Past) -> bool:
        """Whether any item of positive weight has neighbours."""
        starts = self.weights.indptr
        return bool((past.positive & (starts[past.rows + 1] > starts[past.rows])).any())

    def prepare(self, past: Past, now: int) -> Neighbours:
        """Gather and add up the neighbours of the history."""
        return Neighbours(self, past)


class Gathered:
    """Sums over lists of weights, row by row; only those above 0 are opinions."""

    def __init__(self, lists: sp.csr_array, rows: Rows, strengths: Floats) -> None:
        self._keys, self._sums, self._slots = sum_lists(lists.indptr, lists.indices, lists.data, rows, strengths)
        sound(self._sums[self._slots])

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return best_summed(self._keys, self._sums, self._slots, allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores = looked_up(self._keys, self._sums, rows)
        return np.where(scores > 0, scores, NO_OPINION)

    def summed(self) -> tuple[Rows, Floats]:
        """All rows that came up, and their sums."""
        return self._keys[self._slots], self._sums[self._slots]


class Neighbours(Gathered):
    """An item–item source made ready for a history."""

    def __init__(self, source: ItemItemSource, past: Past) -> None:
        self._weights, self._past = source.weights, past
        self._strengths = past.decayed(source.history_decay)
        super().__init__(source.weights, past.rows, self._strengths)

    def causes(self, rows: Rows) -> list[Cause]:
        """See `Scorer`."""
        # What was disliked may lift its opposite, but nobody wants to read that as the reason.
        liked = np.maximum(self._strengths, 0)
        weights = self._weights
        return ranked_causes(entries(weights.indptr, weights.indices, weights.data, self._past.rows, rows).T * liked)
