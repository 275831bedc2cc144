"""Transfer source: items that nobody consumed yet, scored as their neighbours in content are by the item–item source.

Two steps at serving: the item–item scores of the history, and what those lend. Folding both into one matrix would have to cut it
short, which costs a tenth of the recall among new items.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from recommender.feeds import SourceName
from recommender.kernels import entries
from recommender.profile import Transfer
from recommender.sources.item_item import Gathered, ItemItemSource
from recommender.sources.past import Past
from recommender.sources.source import Cause, Mask, Rows, ranked_causes

LENDERS = 200
"""Lenders that a history goes best with, whose lists are added up; what others lend is next to nothing."""


class TransferSource:
    """`lending`, shape (n, n), CSR: row w holds what one unit of item w's score is worth to each item that borrows."""

    name = SourceName.TRANSFER
    scans = False

    def __init__(self, lending: sp.csr_array, behaviour: ItemItemSource, settings: Transfer) -> None:
        self.lending = lending
        self.behaviour = behaviour
        self.settings = settings

    @cached_property
    def lenders(self) -> Mask:
        """Which rows lend anything, shape (n,)."""
        known: Mask = np.diff(self.lending.indptr) > 0
        return known

    def has_opinion(self, past: Past) -> bool:
        """Whether any item has positive weight, as soon as any item borrows."""
        return bool(self.lending.nnz) and bool(len(past.liked))

    def prepare(self, past: Past, now: int) -> Lent:
        """Score the lenders, and add up what they lend."""
        return Lent(self, past)


class Lent(Gathered):
    """The transfer source made ready for a history."""

    def __init__(self, source: TransferSource, past: Past) -> None:
        self._source, self._past = source, past
        self._strengths = past.decayed(source.behaviour.history_decay)
        self._lenders, scores = source.behaviour.gathered(past).strongest(LENDERS, source.lenders)
        self._own = np.float32(source.settings.own_share) * self._strengths
        super().__init__(source.lending, np.concatenate([self._lenders, past.rows]), np.concatenate([scores, self._own]))

    def causes(self, rows: Rows) -> list[Cause]:
        """See `Scorer`. The score is linear in the history: what its items are worth to lenders, and lend themselves."""
        weights, lending, history = self._source.behaviour.weights, self._source.lending, self._past.rows
        to_lenders = entries(weights.indptr, weights.indices, weights.data, history, self._lenders)
        lent = entries(lending.indptr, lending.indices, lending.data, np.concatenate([self._lenders, history]), rows)
        parts = to_lenders @ lent[: len(self._lenders)] * np.maximum(self._strengths, 0)[:, None]
        parts += lent[len(self._lenders) :] * np.maximum(self._own, 0)[:, None]
        return ranked_causes(parts.T)
