"""How many of the true nearest vectors a search finds, and the queries on which that is measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

ALIKE = 1e-4
"""Cosines that differ by less are equally good: half precision rounds by up to about so much."""
RELATED = 50
"""An interest is the mean of three of the vectors nearest to one, of so many."""

_PART = 65_536


def cosines_with(vectors: Floats, queries: Floats) -> Floats:
    """Cosines of unit `queries`, shape (q, d), with unit `vectors`, shape (n, d): shape (q, n)."""
    found = np.empty((len(queries), len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), _PART):
        found[:, start : start + _PART] = queries @ vectors[start : start + _PART].T
    return found


def drawn_queries(vectors: Floats, there: Rows, count: int, rng: np.random.Generator) -> Floats:
    """Unit queries as feeds and searches ask, shape (count, d): in turns vectors themselves, interests, and means of any two.

    `vectors`: shape (n, d), unit rows where `there`, shape (m,), m ≥ 1.
    """
    drawn = rng.choice(there, count)
    queries = vectors[drawn]
    cosines = cosines_with(vectors, queries[1::3])
    most = min(RELATED, len(there))
    for place, line in zip(range(1, count, 3), cosines, strict=True):
        related = there[np.argpartition(-line[there], most - 1)[:most]]
        queries[place] = vectors[rng.choice(related, 3)].mean(axis=0)
    queries[2::3] += vectors[rng.choice(there, len(queries[2::3]))]
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    unit: Floats = queries / np.maximum(lengths, np.float32(1e-9))
    return unit


def thresholds(cosines: Floats, allowed: Mask, k: int) -> Floats:
    """The `k`-th highest cosine of each query, shape (q, n), among the `allowed`, shape (q,); of fewer than k the lowest."""
    passing = np.flatnonzero(allowed)
    k = min(k, len(passing))
    kth: Floats = np.array([np.partition(line[passing], len(passing) - k)[len(passing) - k] for line in cosines], dtype=np.float32)
    return kth


def recalls(cosines: Floats, kth: Floats, rows: Rows) -> npt.NDArray[np.float64]:
    """The share of `rows`, shape (q, k), found for each query that are as good as the true ones, shape (q,).

    A row counts when its true cosine is at least that of the k-th best, `kth`, less `ALIKE`. Of very many near-duplicates it does not
    matter which ones are found.
    """
    found = np.take_along_axis(cosines, rows.astype(np.int64), axis=1)
    shares: npt.NDArray[np.float64] = (found >= kth[:, None] - ALIKE).mean(axis=1)
    return shares
