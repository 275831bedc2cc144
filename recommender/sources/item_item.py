"""Item–item sources: what goes with what. A row's score is the weighted sum of its weights from the items of the history."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recommender.cause_kernels import causes_of_lists
from recommender.feeds import SourceName
from recommender.lists import Lists
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, ByItems, Causes, Floats, Mask, NoFurther, Rows
from recommender.sum_kernels import best_sums, looked_up, strongest_sums, sum_lists

FIRST_STEPS = 30
"""Rows that go best with a history, from which a second step is made."""
NOTHING, FADED = np.float32(0), np.float32(1e-4)
"""Events whose weight has fallen to this share of the largest are passed over: it changes no order, and lists take time."""


class ItemItemSource(ByItems):
    """`lists` of n items: row j holds what one unit of weight on item j adds to every other item.

    Several sources are of this form (`name`); they differ in how their weights were learnt and in how fast a history fades:
    an event counts `history_decay`, in (0, 1], times as much for every step that it lies back.
    """

    scans = False

    def __init__(self, name: SourceName, lists: Lists, history_decay: float) -> None:
        self.name = name
        self.lists = lists
        self.history_decay = history_decay

    @cached_property
    def known(self) -> Mask:
        """Which rows have neighbours, shape (n,)."""
        return self.lists.filled

    def prepare(self, past: Past, now: int) -> Neighbours:
        """Gather and add up the neighbours of the history, once for all that ask for them."""
        made = past.worked_out.get(self)
        if made is None:
            made = past.worked_out[self] = Neighbours(self, past)
        assert isinstance(made, Neighbours)
        return made


class Gathered(NoFurther):
    """Sums over lists of weights, row by row; only those above 0 are opinions.

    `rows`: all that came up, shape (c,), int32; `sums`: theirs. Strengths up to `least` times the largest are passed over.
    """

    def __init__(self, lists: Lists, rows: Rows, strengths: Floats, least: np.float32 = NOTHING) -> None:
        self._n = lists.n
        self.rows, self.sums, sound = sum_lists(lists, rows, strengths, least)
        if not sound:
            raise FloatingPointError("a score is no number")

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return best_sums(self.rows, self.sums, allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        return looked_up(self.rows, self.sums, rows, NO_OPINION, self._n)

    def strongest(self, limit: int, of: Mask) -> tuple[Rows, Floats]:
        """The `limit` rows whose sums are farthest from 0, of those in `of`, shape (n,), in no order, and their sums."""
        return strongest_sums(self.rows, self.sums, of, limit)


class Neighbours(Gathered):
    """An item–item source made ready for a history."""

    def __init__(self, source: ItemItemSource, past: Past) -> None:
        self._source, self._history = source, past.rows
        self._strengths = past.decayed(source.history_decay)
        super().__init__(source.lists, past.rows, self._strengths, FADED)

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`: what goes best with what goes best with the history."""
        first, strengths = self.strongest(FIRST_STEPS, self._source.known)
        return Gathered(self._source.lists, first, np.maximum(strengths, 0)).candidates(allowed, limit)

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`."""
        # What was disliked may lift its opposite, but nobody wants to read that as the reason.
        return Causes(*causes_of_lists(*self._source.lists, self._history, self._strengths, rows))
