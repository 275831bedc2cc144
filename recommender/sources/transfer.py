"""Transfer source: items that nobody consumed yet, scored as their neighbours in content are by the item–item source.

Two steps at serving: the item–item scores of the history, and what those lend. Folding both into one matrix would have to cut it
short, which costs a tenth of the recall among new items.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recommender.cause_kernels import causes_of_loans, causes_through
from recommender.feeds import SourceName
from recommender.lists import Lists
from recommender.profile import Transfer
from recommender.sources.item_item import Gathered, ItemItemSource
from recommender.sources.past import Past
from recommender.sources.source import ByItems, Causes, Floats, Mask, Rows

LENDERS = 200
"""Lenders that a history goes best with, whose lists are added up; what others lend is next to nothing."""


class TransferSource(ByItems):
    """`lending`, lists of n items: row w holds what one unit of item w's score is worth to each item that borrows."""

    name = SourceName.TRANSFER
    scans = False

    def __init__(self, lending: Lists, behaviour: ItemItemSource, settings: Transfer) -> None:
        self.lending = lending
        self.behaviour = behaviour
        self.settings = settings

    @cached_property
    def lenders(self) -> Mask:
        """Which rows lend anything, shape (n,)."""
        return self.lending.filled

    @cached_property
    def known(self) -> Mask:
        """All items, as soon as any lends, shape (n,)."""
        return np.full(self.lending.n, bool(len(self.lending.lows)))

    def prepare(self, past: Past, now: int) -> Lent:
        """Score the lenders, and add up what they lend."""
        return Lent(self, past)


class Lent(Gathered):
    """The transfer source made ready for a history. `lending`: rows that lend, lenders and then the history, and how much, both of shape
    (l + h,)."""

    def __init__(self, source: TransferSource, past: Past) -> None:
        self._source, self._history = source, past.rows
        self._strengths = past.decayed(source.behaviour.history_decay)
        self._lenders, scores = source.behaviour.prepare(past, 0).strongest(LENDERS, source.lenders)
        self._own = np.float32(source.settings.own_share) * self._strengths
        self.lending = np.concatenate([self._lenders, past.rows]), np.concatenate([scores, self._own])
        super().__init__(source.lending, *self.lending)

    @property
    def parties(self) -> tuple[Rows, Rows]:
        """The lenders, shape (l,), and the history, shape (h,), as rows."""
        return self._lenders, self._history

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`. The score is linear in the history: what its items are worth to lenders, and lend themselves."""
        lists, lending, history = self._source.behaviour.lists, self._source.lending, self._history
        return Causes(*causes_of_loans(*lists, *lending, history, self._strengths, self._lenders, self._own, rows))

    def causes_of(self, from_lenders: Floats, from_history: Floats) -> Causes:
        """The same of r items that a generation has not, by what they get from one unit of each lender, shape (l, r), and of each item of
        the history, shape (h, r)."""
        lists, history = self._source.behaviour.lists, self._history
        parts = np.maximum(self._own, 0)[:, None] * from_history
        return Causes(*causes_through(*lists, history, self._strengths, self._lenders, from_lenders, parts))
