"""The nearest rows of every row of many vectors, as a build looks for them: in the cells around each, not everywhere."""

from __future__ import annotations

import math

import faiss
import numpy as np
import numpy.typing as npt

from recommender.best import key_of, place_of
from recommender.compiling import compiled
from recommender.cores import shared
from recommender.half_kernels import dot, fetch_ahead, widened_rows

Halves = npt.NDArray[np.int16]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]

CELLS = "IVF{cells},PQ{segments}x4fs"
CELLS_PER_ROOT = 4
"""Cells per root of the number of vectors."""
LOOKED_AT, FEWEST_CELLS = 20_000, 32
"""So many rows are looked at around each vector, which is everything where there are no more, and so many cells at the least. Titles of
papers lie far apart: of 17,000 of them, 32 cells of 425 hold but 92 % of the nearest hundred."""
TRAINED, ROUNDS = 40, 6
"""Vectors per cell from which cells are learnt, and how many times they are moved."""
FEW = 10_000
"""So few vectors are all compared: to learn codes takes longer (1,700 vectors of 384 numbers: 2.5 s against .2; 5,000: 6 s against 1.7)."""
PROPOSED = 6
"""Compressed codes propose so many times what is wanted, and half-precision vectors decide."""
ROWS_AT_ONCE, COMPARED_AT_ONCE = 4_096, 512
"""Rows that are searched for at a time, and of these those that one core compares in one go."""
_NO_KEY = np.uint64(2**64 - 1)


def near_lists(halves: Halves, there: Mask, most: int, seed: int) -> Rows:
    """The `most` nearest other rows of each row that is `there`, shape (n,), as far as the cells around it hold them: shape (n, most),
    nearest first, ties by row, -1 where there are fewer.

    `halves`: unit rows in half precision, shape (n, d).
    """
    near, rows = np.full((len(there), most), -1, dtype=np.int32), np.flatnonzero(there).astype(np.int32)
    if len(rows) < 2:
        return near
    cells = Cells(halves, rows, seed)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        near[part] = cells.nearest(part, most)
    return near


class Cells:
    """Some `rows`, at least one, of unit vectors in half precision, shape (n, d), each in the cell of the middle that it is nearest to.

    Middles and compressed codes are learnt from a sample drawn with `seed`. Up to `FEW` rows all lie in one cell, and are all looked at.
    """

    def __init__(self, halves: Halves, rows: Rows, seed: int) -> None:
        self._halves, self._rows = halves, rows
        self._index: faiss.Index | None = None
        if len(rows) > FEW:
            self._index = self._learnt(seed)

    def _learnt(self, seed: int) -> faiss.Index:
        halves, rows = self._halves, self._rows
        d, cells = halves.shape[1], max(1, min(int(CELLS_PER_ROOT * math.sqrt(len(rows))), len(rows) // TRAINED))
        index = faiss.index_factory(d, CELLS.format(cells=cells, segments=d if d % 2 else d // 2), faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = index.pq.cp.seed = seed
        index.cp.niter, index.cp.spherical = ROUNDS, True
        rng = np.random.default_rng(seed)
        sample = np.sort(rng.choice(rows, min(len(rows), max(TRAINED * cells, 1_000)), replace=False))
        index.train(widened_rows(halves, sample))
        index.nprobe = min(cells, max(FEWEST_CELLS, math.ceil(LOOKED_AT * cells / len(rows))))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            index.add(widened_rows(halves, rows[start : start + ROWS_AT_ONCE]))
        return index

    def nearest(self, rows: Rows, most: int) -> Rows:
        """Of the rows in the cells, the `most` nearest to each of any `rows`, shape (r,), itself aside: shape (r, most), nearest first,
        ties by row, -1 where the cells around it hold fewer."""
        if self._index is None:
            proposed = np.broadcast_to(np.arange(len(self._rows)), (len(rows), len(self._rows)))
        else:
            _, proposed = self._index.search(widened_rows(self._halves, rows), PROPOSED * (most + 1))

        def best(part: slice) -> Rows:
            others = np.where(proposed[part] < 0, -1, self._rows[proposed[part]]).astype(np.int32)
            keys = _compared(self._halves, rows[part], others)
            keys.sort(axis=1)
            return _nearest(keys, most)

        parts = shared(best, [slice(start, start + COMPARED_AT_ONCE) for start in range(0, len(rows), COMPARED_AT_ONCE)])
        return np.concatenate([np.zeros((0, most), dtype=np.int32), *parts])


@compiled
def _compared(halves: Halves, rows: Rows, proposed: Rows) -> Keys:
    """A key for each of what was `proposed`, shape (p, k), for `rows`, shape (p,), the smaller the nearer; none for itself and for -1."""
    keys, own = np.empty(proposed.shape, dtype=np.uint64), widened_rows(halves, rows)
    for place in range(len(rows)):
        others = proposed[place]
        for at in range(len(others)):
            other = others[at]
            keys[place, at] = _NO_KEY
            if other >= 0 and other != rows[place]:
                fetch_ahead(halves, others, at)
                keys[place, at] = ~key_of(dot(halves[other], own[place]), other)
    return keys


@compiled
def _nearest(keys: Keys, most: int) -> Rows:
    near = np.full((len(keys), most), -1, dtype=np.int32)
    for place in range(len(keys)):
        for at in range(min(most, keys.shape[1])):
            if keys[place, at] == _NO_KEY:
                break
            near[place, at] = place_of(~keys[place, at])
    return near
