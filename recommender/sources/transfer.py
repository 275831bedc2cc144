"""Transfer source: items that nobody consumed yet, scored as their neighbours in content are by the item–item source.

Two steps at serving: the item–item scores of the history, and what those lend. Folding both into one matrix would have to cut it
short, which costs a tenth of the recall among new items.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.profile import Transfer
from recommender.sources.batch import Batch
from recommender.sources.item_item import Gathered, ItemItemSource
from recommender.sources.source import Cause, Mask, Rows, ranked_causes


class TransferSource:
    """`lending`, shape (n, n), CSR: row w holds what one unit of item w's score is worth to each item that borrows."""

    name = SourceName.TRANSFER

    def __init__(self, lending: sp.csr_array, behaviour: ItemItemSource, settings: Transfer) -> None:
        self.lending = lending
        self.behaviour = behaviour
        self.settings = settings

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with any item of positive weight, as soon as any item borrows."""
        return (batch.counts(batch.positive) > 0) & bool(self.lending.nnz)

    def prepare(self, batch: Batch, now: int) -> Gathered:
        """Score the lenders, and add up what they lend."""
        return _Lent(self, batch)


class _Lent(Gathered):
    def __init__(self, source: TransferSource, batch: Batch) -> None:
        self._source = source
        weights = batch.decayed(source.behaviour.history_decay)
        history = batch.matrix(weights)
        lenders = history @ source.behaviour.weights + np.float32(source.settings.own_share) * history
        super().__init__(batch, weights, sp.csr_array(lenders @ source.lending))

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """See `Scorer`. The score is linear in the history."""
        source, history = self._source, self.batch.rows[self.batch.part(query)]
        own = source.behaviour.weights[history]
        # Rows of a few lenders are read at once; columns would be looked for in all of them.
        lenders = np.unique(np.concatenate([own.indices, history]))
        borrowed = source.lending[lenders][:, rows]
        share = np.float32(source.settings.own_share)
        each = own[:, lenders] @ borrowed + share * borrowed[np.searchsorted(lenders, history)]
        liked = np.maximum(self.weights[self.batch.part(query)], 0)
        return ranked_causes((sp.csr_array(each).toarray() * liked[:, None]).T)
