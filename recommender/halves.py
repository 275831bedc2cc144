"""Vectors in half precision: read back as numbers, and compared with queries where they lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.half_kernels import AT_ONCE, products_with, widened_rows

Halves = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

ROWS_AT_ONCE = 2**14
"""Rows that are looked through at a time."""


def halved(values: npt.NDArray[np.floating]) -> Halves:
    """The bits of `values` in half precision, the same shape; without a copy where they are in half precision already."""
    return np.asarray(values, dtype=np.float16).view(np.int16)


def nonzero_rows(halves: Halves) -> npt.NDArray[np.bool_]:
    """Which rows of half-precision numbers, shape (n, d), hold anything but zeros, shape (n,)."""
    there = np.empty(len(halves), dtype=np.bool_)
    # Some at a time, as a copy of a million rows would take half a gigabyte.
    for start in range(0, len(halves), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        # A shift drops the sign, which zeros may have too.
        np.any(np.left_shift(halves[part], 1), axis=1, out=there[part])
    return there


def widened(halves: Halves, rows: npt.NDArray[np.integer]) -> Floats:
    """The float32 values of `rows`, any shape, of finite half-precision numbers given as bits, shape (n, d): shape rows.shape + (d,)."""
    made = widened_rows(halves, rows.ravel().astype(np.int32, copy=False))
    return made.reshape(*rows.shape, halves.shape[1])


def products(halves: Halves, rows: Rows, queries: Floats) -> Floats:
    """Inner products of `queries`, shape (q, d), with the `rows` of `halves`, shape (n, d): shape (q, len(rows)), float32.

    A query's products do not depend on which other queries and rows come along.
    """
    return products_with(halves, rows, blocks(queries))[: len(queries)]


def blocks(queries: Floats) -> Floats:
    """`queries`, shape (q, d), float32, with zeros after them up to the next multiple of `AT_ONCE`: what kernels compare with."""
    whole = np.zeros((-(-len(queries) // AT_ONCE) * AT_ONCE, queries.shape[1]), dtype=np.float32)
    whole[: len(queries)] = queries
    return whole


def nearest(halves: Halves, rows: Rows, queries: Floats, k: int) -> tuple[Rows, Floats]:
    """The `k` ≤ len(rows) of `rows`, ascending, with the largest product with each query, best first, ties by row.

    Returns rows and products, both of shape (q, k).
    """
    every = products(halves, rows, queries)
    best = np.stack([best_places(line, k) for line in every]) if len(every) else np.zeros((0, k), dtype=np.int64)
    chosen, found = rows[best], np.take_along_axis(every, best, axis=1)
    order = np.lexsort((chosen, -found), axis=1)
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)
