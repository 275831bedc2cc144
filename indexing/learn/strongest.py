"""Which of the weights between items are kept: few enough to serve from, the strongest first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FAN = 4
"""An item says something for at most `neighbours` others, and is spoken for by at most so many times as many. Without the first
bound the most popular item would have a say on everything, which serving would have to gather; without the second, everything
would have a say on it, most of that noise."""


def strongest_per_row(weights: sp.csr_array, most: int) -> sp.csr_array:
    """The `most` entries of largest magnitude of each row, none of them 0; of equal ones those of lower columns."""
    kept = np.ones(weights.nnz, dtype=np.bool_)
    lengths = np.diff(weights.indptr)
    for row in np.flatnonzero(lengths > most):
        part = slice(int(weights.indptr[row]), int(weights.indptr[row + 1]))
        magnitude = np.abs(weights.data[part])
        least = np.partition(magnitude, len(magnitude) - most)[len(magnitude) - most]
        kept[part] = magnitude > least
        tied = np.flatnonzero(magnitude == least)
        tied = tied[np.argsort(weights.indices[part][tied])][: most - np.count_nonzero(kept[part])]
        kept[part.start + tied] = True
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, most))]).astype(np.int32)
    strongest = sp.csr_array((weights.data[kept], weights.indices[kept], offsets), shape=weights.shape)
    strongest.eliminate_zeros()
    return strongest


def strongest_of_dense(weights: npt.NDArray[np.float32], most: int) -> sp.csr_array:
    """The same of a dense (r, k) array, as CSR with sorted indices."""
    k = weights.shape[1]
    magnitude = np.abs(weights)
    kept = magnitude > 0
    if k > most:
        least = np.partition(magnitude, k - most, axis=1)[:, k - most, None]
        for row in np.flatnonzero(np.count_nonzero(kept & (magnitude >= least), axis=1) > most):
            tied = np.flatnonzero(magnitude[row] == least[row])
            kept[row, tied[most - np.count_nonzero(magnitude[row] > least[row]) :]] = False
        kept &= magnitude >= least
    columns = np.nonzero(kept)[1].astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(kept, axis=1))]).astype(np.int32)
    return sp.csr_array((weights[kept], columns, offsets), shape=weights.shape)


def transposed(rows: list[sp.csr_array]) -> sp.csr_array:
    """The transpose, as CSR, of the matrix of which these are blocks of rows, at least one. Empties the list, to free the blocks."""
    stacked = sp.csr_array(sp.vstack(rows))
    rows.clear()
    return sp.csr_array(stacked.T)


def among_all(weights: sp.csr_array, items: npt.NDArray[np.int32], n: int) -> sp.csr_array:
    """`weights` between some `items`, shape (k, k), as weights between all n items: shape (n, n), CSR, float32, indices sorted.

    `items`: shape (k,), ascending.
    """
    # int32 indices and offsets are what scipy's products use without converting.
    offsets = np.zeros(n + 1, dtype=np.int32)
    offsets[items + 1] = np.diff(weights.indptr)
    wide = sp.csr_array((weights.data.astype(np.float32), items[weights.indices], np.cumsum(offsets, dtype=np.int32)), shape=(n, n))
    wide.sort_indices()
    return wide
