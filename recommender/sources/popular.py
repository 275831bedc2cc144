"""Popular source: decayed counts of positive events; the same for everybody."""

from __future__ import annotations

from functools import cached_property

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
        """All rows, the highest count first, ties by row, int32."""
        return np.argsort(-self.counts, kind="stable").astype(np.int32)

    @cached_property
    def _with_events(self) -> Rows:
        # What is no number is kept, so that `prepare` gets to see it.
        return self.order[: np.count_nonzero(~(self.counts <= 0))]

    @cached_property
    def _sound(self) -> bool:
        sound(self.counts)
        return True

    def has_opinion(self, past: Past) -> bool:
        """As soon as anything counts."""
        return bool(len(self._with_events))

    def prepare(self, past: Past, now: int) -> PopularSource:
        """Nothing to prepare, but counts that were taken elsewhere are looked at once."""
        assert self._sound
        return self

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return first_allowed(self._with_events, allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores = self.counts[rows]
        return np.where(scores > 0, scores, NO_OPINION)

    def causes(self, rows: Rows) -> Causes:
        """What is the same for everybody has no cause in a history."""
        return Causes.none(len(rows))
