"""A trend as a source: what it names first, in its order, and what is popular without a window behind that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.sources import PopularSource, first_allowed
from recommender.sources.source import Mask, Rows
from recommender.trends.trend import STANDING


class TrendSource(PopularSource):
    """The items at `rows`, shape (k,), the most popular first, all different, of all those that `standing` knows, which goes on behind
    them.

    `levels`, shape (k,), as in `Trend`.
    """

    def __init__(self, rows: Rows, levels: npt.NDArray[np.uint8], standing: PopularSource) -> None:
        n = len(standing.counts)
        counts = np.zeros(n, dtype=np.float32)
        # Only their order matters; single precision holds it for sixteen million items.
        counts[rows] = np.arange(len(rows), 0, -1)
        super().__init__(counts)
        self.__dict__["order"] = np.ascontiguousarray(rows, dtype=np.int32)
        self.levels = np.full(n, STANDING, dtype=np.uint8)
        self.levels[rows] = levels
        self._standing = standing

    def first(self, allowed: Mask, limit: int) -> Rows:
        """The first `limit` of the `allowed` rows, shape (n,): those of the trend, then those that are popular anyway."""
        trending = first_allowed(self.order, allowed, limit)
        if len(trending) == limit:
            return trending
        left = allowed.copy()
        left[trending] = False
        return np.concatenate([trending, self._standing.first(left, limit - len(trending))])
