"""Compiled loops over vectors in half precision: widened to single precision, and compared with queries where they lie.

Rows lie anywhere in a file that is larger than the processor's caches: while one is compared, a later one is fetched already, which
takes a third off.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, reordered
from recommender.instructions import fetch, single

Halves = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

AT_ONCE = 4
"""Queries that are compared with a row in one go."""
_AHEAD, _FAR_AHEAD = 4, 10
"""So many rows ahead is fetched; the second where a row is compared with one query, which takes less time than to fetch it."""


@reordered
def dots(line: npt.NDArray[np.int16], queries: Floats, first: int) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Inner products of a row in half precision, shape (d,), with the four `queries`, shape (q, d), from the one at place `first`."""
    a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for at in range(queries.shape[1]):
        value = single(line[at])
        a += value * queries[first, at]
        b += value * queries[first + 1, at]
        c += value * queries[first + 2, at]
        d += value * queries[first + 3, at]
    return a, b, c, d


@compiled
def fetch_ahead(halves: Halves, rows: Rows, place: int) -> None:
    """Have the row fetched that comes some places after `place` among `rows`."""
    if place + _AHEAD < len(rows):
        fetch(halves, rows[place + _AHEAD])


@compiled
def products_with(halves: Halves, rows: Rows, queries: Floats) -> Floats:
    """Inner products of the `rows` with `queries`, shape (4·b, d): shape (4·b, len(rows))."""
    found = np.empty((len(queries), len(rows)), dtype=np.float32)
    for place in range(len(rows)):
        fetch_ahead(halves, rows, place)
        line = halves[rows[place]]
        for first in range(0, len(queries), AT_ONCE):
            found[first, place], found[first + 1, place], found[first + 2, place], found[first + 3, place] = dots(line, queries, first)
    return found


@reordered
def dot(line: npt.NDArray[np.int16], query: Floats) -> np.float32:
    """Inner product of a row in half precision with a query, both of shape (d,)."""
    total = np.float32(0)
    for at in range(len(query)):
        total += single(line[at]) * query[at]
    return total


@compiled
def dots_of(halves: Halves, rows: Rows, query: Floats) -> Floats:
    """Inner products of the `rows`, shape (r,), with a query, shape (d,): shape (r,)."""
    found = np.empty(len(rows), dtype=np.float32)
    for place in range(len(rows)):
        if place + _FAR_AHEAD < len(rows):
            fetch(halves, rows[place + _FAR_AHEAD])
        found[place] = dot(halves[rows[place]], query)
    return found


@compiled
def dots_of_all(halves: Halves, query: Floats) -> Floats:
    """Inner products of all rows, shape (n, d), with a query: shape (n,)."""
    found = np.empty(len(halves), dtype=np.float32)
    for row in range(len(halves)):
        found[row] = dot(halves[row], query)
    return found


@compiled
def widened_rows(halves: Halves, rows: Rows) -> Floats:
    """The `rows` in single precision, shape (len(rows), d)."""
    made = np.empty((len(rows), halves.shape[1]), dtype=np.float32)
    for place in range(len(rows)):
        fetch_ahead(halves, rows, place)
        line, wide = halves[rows[place]], made[place]
        for at in range(len(wide)):
            wide[at] = single(line[at])
    return made
