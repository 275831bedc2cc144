"""Vectors in half precision: read back as numbers, and compared with queries where they lie.

Exponent and fraction are moved to where single precision has them, and one product makes up for the exponents' different bias, which
every processor does in few steps; NumPy's own conversion takes three times as long.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.kernels import compiled, reordered

Halves = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

_BITS = np.uint32(0x8FFFE000).view(np.int32)
_SCALE = np.float32(2.0**112)


def widened(halves: Halves, rows: npt.NDArray[np.integer]) -> Floats:
    """The float32 values of `rows`, any shape, of finite half-precision numbers given as bits, shape (n, d): shape rows.shape + (d,)."""
    made: Floats = _widened(halves, rows.ravel().astype(np.int32, copy=False))
    return made.reshape(*rows.shape, halves.shape[1])


def products(halves: Halves, rows: Rows, queries: Floats) -> Floats:
    """Inner products of `queries`, shape (q, d), with the `rows` of `halves`, shape (n, d): shape (q, len(rows)), float32.

    A query's products do not depend on which other queries and rows come along.
    """
    found: Floats = _products(halves, rows, np.ascontiguousarray(queries, dtype=np.float32))
    return found


def nearest(halves: Halves, rows: Rows, queries: Floats, k: int) -> tuple[Rows, Floats]:
    """The `k` ≤ len(rows) of `rows`, ascending, with the largest product with each query, best first, ties by row.

    Returns rows and products, both of shape (q, k).
    """
    every = products(halves, rows, queries)
    best = np.stack([best_places(line, k) for line in every]) if len(every) else np.zeros((0, k), dtype=np.int64)
    chosen, found = rows[best], np.take_along_axis(every, best, axis=1)
    order = np.lexsort((chosen, -found), axis=1)
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)


@reordered
def _products(halves: Halves, rows: Rows, queries: Floats) -> Floats:
    found = np.empty((len(queries), len(rows)), dtype=np.float32)
    wide = np.empty(queries.shape[1], dtype=np.float32)
    for place in range(len(rows)):
        line = halves[rows[place]]
        for at in range(len(wide)):
            wide[at] = np.int32((np.int32(line[at]) << np.int32(13)) & _BITS).view(np.float32) * _SCALE
        for query in range(len(queries)):
            asked, total = queries[query], np.float32(0)
            for at in range(len(wide)):
                total += wide[at] * asked[at]
            found[query, place] = total
    return found


@compiled
def _widened(halves: Halves, rows: Rows) -> Floats:
    made = np.empty((len(rows), halves.shape[1]), dtype=np.float32)
    for place in range(len(rows)):
        line, wide = halves[rows[place]], made[place]
        for at in range(len(wide)):
            wide[at] = np.int32((np.int32(line[at]) << np.int32(13)) & _BITS).view(np.float32) * _SCALE
    return made
