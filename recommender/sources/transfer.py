"""Transfer source: items that nobody consumed yet, scored as their neighbours in content are by the item–item source.

Two steps at serving: the item–item scores of the history, and what those lend. Folding both into one matrix would have to cut it
short, which costs a tenth of the recall among new items.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.kernels import entries_of_product
from recommender.profile import Transfer
from recommender.sources.item_item import Gathered, ItemItemSource
from recommender.sources.past import Past
from recommender.sources.source import Cause, Rows, ranked_causes


class TransferSource:
    """`lending`, shape (n, n), CSR: row w holds what one unit of item w's score is worth to each item that borrows."""

    name = SourceName.TRANSFER
    scans = False

    def __init__(self, lending: sp.csr_array, behaviour: ItemItemSource, settings: Transfer) -> None:
        self.lending = lending
        self.behaviour = behaviour
        self.settings = settings

    def has_opinion(self, past: Past) -> bool:
        """Whether any item has positive weight, as soon as any item borrows."""
        return bool(self.lending.nnz) and bool(past.positive.any())

    def prepare(self, past: Past, now: int) -> Lent:
        """Score the lenders, and add up what they lend."""
        return Lent(self, past)


class Lent(Gathered):
    """The transfer source made ready for a history."""

    def __init__(self, source: TransferSource, past: Past) -> None:
        self._source, self._past = source, past
        self._strengths = past.decayed(source.behaviour.history_decay)
        weights, own = source.behaviour.weights, np.float32(source.settings.own_share)
        lenders, scores = Gathered(weights, past.rows, self._strengths).summed()
        super().__init__(source.lending, np.concatenate([lenders, past.rows]), np.concatenate([scores, own * self._strengths]))

    def causes(self, rows: Rows) -> list[Cause]:
        """See `Scorer`. The score is linear in the history."""
        weights, lending = self._source.behaviour.weights, self._source.lending
        parts = entries_of_product(
            *(weights.indptr, weights.indices, weights.data),
            *(lending.indptr, lending.indices, lending.data),
            *(self._past.rows, rows, np.float32(self._source.settings.own_share)),
        )
        return ranked_causes(parts.T * np.maximum(self._strengths, 0))
