"""The search over a generation's vectors and what changed since: one list of item numbers, best first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.halves import nearest, widened
from recommender.segments.delta import Delta, Numbers
from recommender.vectors import Floats, Mask, VectorIndex


class SegmentedIndex:
    """The vectors of a generation, row i of which is item `numbers[i]`, ascending, shape (n,), uint32, under a `delta` of m items.

    What the delta says of an item holds: `standing`, shape (n,), bool, are the rows of the base of which it says nothing. Everything is
    made ready here, and nothing changes any more; after more changes there is another index over the same base.
    """

    def __init__(self, base: VectorIndex, numbers: Numbers, delta: Delta) -> None:
        """Raises ValueError for numbers and vectors that do not belong together."""
        if numbers.shape != (base.size,):
            raise ValueError(f"{len(numbers)} item numbers for {base.size} vectors")
        if delta.dimension != base.dimension:
            raise ValueError(f"the delta's vectors have {delta.dimension} numbers, the base's {base.dimension}")
        self.base = base
        self.numbers = numbers
        self.delta = delta
        changed = np.concatenate([delta.numbers, delta.removed])
        rows, there = _places(numbers, changed)
        self.standing: Mask = np.ones(len(numbers), dtype=np.bool_)
        self.standing[rows[there]] = False

    def with_delta(self, delta: Delta) -> SegmentedIndex:
        """The same base under another delta: all that changed since, not only what is new."""
        return SegmentedIndex(self.base, self.numbers, delta)

    def gather(self, numbers: Numbers) -> Floats:
        """The vectors that items have now, shape (len(numbers), d), float32; zeros for those without one, unknown and removed ones."""
        found = np.zeros((len(numbers), self.base.dimension), dtype=np.float32)
        rows, there = _places(self.numbers, numbers)
        there[there] = self.standing[rows[there]]
        found[there] = self.base.gather(rows[there])
        rows, there = _places(self.delta.numbers, numbers)
        found[there] = widened(self.delta.halves, rows[there])
        return found

    def search(self, queries: Floats, k: int, allowed: Mask, allowed_new: Mask) -> tuple[Numbers, Floats, str]:
        """The `k` nearest allowed items of each query, best first, ties by item number.

        `queries`: shape (q, d), float32; `allowed`: shape (n,), rows of the base, those that do not stand any more being left out here;
        `allowed_new`: shape (m,), rows of the delta, those without a vector being left out here. Returns item numbers (uint32) and
        cosines, both of shape (q, k), fewer columns where fewer are allowed, and how the base was searched: "exact" or "index".
        """
        rows, cosines, mode = self.base.search(queries, k, allowed & self.standing)
        found = self.numbers[rows]
        new = np.flatnonzero(allowed_new & self.delta.has_vector).astype(np.int32)
        if not len(new):
            return found, cosines, mode
        rows, more = nearest(self.delta.halves, new, queries, min(k, len(new)))
        found = np.concatenate([found, self.delta.numbers[rows]], axis=1)
        cosines = np.concatenate([cosines, more], axis=1)
        order = np.lexsort((found, -cosines), axis=1)[:, :k]
        return np.take_along_axis(found, order, axis=1), np.take_along_axis(cosines, order, axis=1), mode


def _places(numbers: Numbers, wanted: Numbers) -> tuple[npt.NDArray[np.int64], Mask]:
    """Where each of `wanted` would stand in ascending `numbers`, and whether it does."""
    places = np.searchsorted(numbers, wanted)
    there: Mask = places < len(numbers)
    there[there] = numbers[places[there]] == wanted[there]
    return places, there
