"""Popular source: decayed counts of positive events; the same for everybody."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import numpy as np

from recommender.feeds import SourceName
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, Causes, Floats, Mask, NoFurther, Rows, first_allowed, sound


class PopularSource(NoFurther):
    """`counts`, shape (n,), float32, ≥ 0, such as popularity; items at 0 have no say."""

    name = SourceName.POPULAR
    scans = False
    known = None

    def __init__(self, counts: Floats) -> None:
        self.counts = counts

    @cached_property
    def order(self) -> Rows:
        """Rows that count, the highest first, ties by row, int32."""
        # What is no number is kept, so that `prepare` gets to see it.
        counting = np.flatnonzero(~(self.counts <= 0)).astype(np.int32)
        return counting[np.argsort(-self.counts[counting], kind="stable")]

    @cached_property
    def _sound(self) -> bool:
        sound(self.counts)
        return True

    def beside(self, counts: Floats) -> Self:
        """The same with further items after these, of `counts`, shape (m,)."""
        made = type(self)(np.concatenate([self.counts, counts]))
        new = np.flatnonzero(~(counts <= 0))
        new = new[np.argsort(-counts[new], kind="stable")]
        at = np.searchsorted(-self.counts[self.order], -counts[new], side="right")
        made.__dict__["order"] = np.insert(self.order, at, (len(self.counts) + new).astype(np.int32))
        return made

    def has_opinion(self, past: Past) -> bool:
        """As soon as anything counts."""
        return bool(len(self.order))

    def prepare(self, past: Past, now: int) -> PopularSource:
        """Nothing to prepare, but counts that were taken elsewhere are looked at once."""
        assert self._sound
        return self

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return first_allowed(self.order, allowed, limit)

    def first(self, allowed: Mask, limit: int) -> Rows:
        """The first `limit` of the `allowed` rows, shape (n,), by count, and by row where nothing counts."""
        counting = first_allowed(self.order, allowed, limit)
        if len(counting) == limit:
            return counting
        others = np.flatnonzero(allowed & (self.counts <= 0))[: limit - len(counting)]
        return np.concatenate([counting, others.astype(np.int32)])

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores = self.counts[rows]
        return np.where(scores > 0, scores, NO_OPINION)

    def causes(self, rows: Rows) -> Causes:
        """What is the same for everybody has no cause in a history."""
        return Causes.none(len(rows))
