"""Fresh source: what was published lately, halving with age."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from recommender.feeds import SourceName
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, Causes, Floats, Mask, NoFurther, Rows, first_allowed
from recommender.times import MISSING_TIME

Times = npt.NDArray[np.int64]
_HOUR_US = 3_600_000_000


class FreshSource:
    """`published_at`, shape (n,), int64 µs, `MISSING_TIME` for items without; those have no say, nor do future ones.

    `order`: dated rows, newest first, ties by row, int32.
    """

    name = SourceName.FRESH
    scans = False
    known = None

    def __init__(self, published_at: npt.NDArray[np.int64]) -> None:
        self.published_at = published_at
        dated = np.flatnonzero(published_at != MISSING_TIME)
        self.order: Rows = dated[np.argsort(-published_at[dated], kind="stable")].astype(np.int32)

    def changed(self, rows: Rows, published_at: Times, further: Times) -> FreshSource:
        """The same with other times at `rows`, shape (r,), and with further items after these: both times int64 µs."""
        made = object.__new__(FreshSource)
        made.published_at = np.concatenate([self.published_at, further])
        made.published_at[rows] = published_at
        still = self.order[~np.isin(self.order, rows)] if len(rows) else self.order
        new = np.concatenate([rows, np.arange(len(self.published_at), len(made.published_at), dtype=np.int32)]).astype(np.int32)
        new = new[made.published_at[new] != MISSING_TIME]
        new = new[np.argsort(-made.published_at[new], kind="stable")]
        made.order = np.insert(still, np.searchsorted(-made.published_at[still], -made.published_at[new], side="right"), new)
        return made

    def has_opinion(self, past: Past) -> bool:
        """As soon as any item has a date."""
        return bool(len(self.order))

    def prepare(self, past: Past, now: int) -> AtMoment:
        """Fix the moment from which age is counted."""
        return AtMoment(self, now)

    def published_by(self, now: int) -> Rows:
        """Rows published at or before `now`, newest first, ties by row."""
        # Some twenty looks, in place of a copy of all dates in this order.
        return self.order[bisect_left(self.order, -now, key=lambda row: -self.published_at[row]) :]

    def decay(self, rows: npt.NDArray[np.integer], now: int, half_life_hours: float | npt.NDArray[np.float64]) -> Floats:
        """Freshness of `rows` in [0, 1]: 1 when just published, halved with every `half_life_hours`, one for all or its own for each; 0 for
        undated rows."""
        published = self.published_at[rows]
        age = np.maximum(now - np.where(published == MISSING_TIME, now, published), 0) / (half_life_hours * _HOUR_US)
        return np.where(published == MISSING_TIME, 0, 0.5**age).astype(np.float32)


class AtMoment(NoFurther):
    """The fresh source at one moment."""

    def __init__(self, source: FreshSource, now: int) -> None:
        self._source = source
        self._now = now

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return first_allowed(self._source.published_by(self._now), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        published = self._source.published_at[rows]
        known = (published != MISSING_TIME) & (published <= self._now)
        # Any half-life orders alike, so ranks need none: the score is minus the age, which single precision tells apart by a ten-millionth.
        return np.where(known, published - self._now, NO_OPINION).astype(np.float32)

    def causes(self, rows: Rows) -> Causes:
        """What is the same for everybody has no cause in a history."""
        return Causes.none(len(rows))
