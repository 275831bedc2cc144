"""Item–item weights: a closed-form linear model where the catalogue allows it, normalised co-occurrence above."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from indexing.interactions import positive_part
from recommender.profile import ItemItem

SOURCE_EXPONENT = 0.5
TARGET_EXPONENT = 0.3
CHUNK_CELLS = 2**24
"""Entries of an intermediate result at the most; some 16 bytes each."""


def item_item_weights(matrix: sp.csr_array, settings: ItemItem) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32, from people by items; at most `neighbours` a row, diagonal zero.

    Row j says what one unit of weight on item j adds to the score of each other item.
    """
    n = matrix.shape[1]
    positive = positive_part(matrix)
    learnt = np.flatnonzero(np.bincount(positive.indices, minlength=n)).astype(np.int32)
    if len(learnt) < 2:
        return sp.csr_array((n, n), dtype=np.float32)
    active = sp.csr_array(positive[:, learnt])
    small = _ridge(active, settings) if len(learnt) <= settings.dense_limit else _cooccurrence(active, settings)
    coo = small.tocoo()
    # int32 indices and offsets are what scipy's products use without converting.
    weights = sp.csr_array((coo.data.astype(np.float32), (learnt[coo.row], learnt[coo.col])), shape=(n, n))
    weights.sort_indices()
    return weights


def _ridge(active: sp.csr_array, settings: ItemItem) -> sp.csr_array:
    """EASE (Steck, WWW 2019): ridge regression of every item on all others, in closed form: B = I − P / diag(P), P = (G + λI)⁻¹.

    People's rows are divided by (sum of weights) ** `degree_exponent` first, so that heavy consumers do not decide alone.
    Takes 8 bytes for every pair of items, twice while the matrix is inverted.
    """
    totals = np.asarray(active.sum(axis=1)).ravel()
    scale = np.where(totals > 0, np.maximum(totals, 1e-9) ** -settings.degree_exponent, 0)
    scaled = sp.csr_array(sp.diags_array(scale.astype(np.float32)) @ active)
    by_item = sp.csr_array(scaled.T)
    n = by_item.shape[0]
    step = max(1, CHUNK_CELLS // n)
    gram = np.empty((n, n), dtype=np.float64)
    for start in range(0, n, step):
        gram[start : start + step] = (by_item[start : start + step] @ scaled).toarray()
    # λ is given for counts of people; the scaling shrinks the Gram matrix, so λ shrinks with its mean diagonal.
    shrink = float(np.trace(gram)) / float(active.power(2).sum())
    gram[np.diag_indices_from(gram)] += settings.regularisation * shrink
    inverse = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    diagonal = np.diag(inverse).copy()
    rows = []
    for start in range(0, n, step):
        weights = (-inverse[start : start + step] / diagonal).astype(np.float32)
        weights[np.arange(len(weights)), np.arange(start, start + len(weights))] = 0
        rows.append(_strongest(sp.csr_array(weights), settings.neighbours))
    return sp.csr_array(sp.vstack(rows))


def _cooccurrence(active: sp.csr_array, settings: ItemItem) -> sp.csr_array:
    """Co-occurrence counts over (source degree ** .5 · target degree ** .3), a block of rows at a time."""
    by_item = sp.csr_array(active.T)
    degree = np.maximum(np.asarray(by_item.sum(axis=1)).ravel(), 1e-9)
    # How many items an item's people have, counted with repetition: no row of the product has more entries.
    reached = np.add.reduceat(np.diff(active.indptr).astype(np.int64)[by_item.indices], by_item.indptr[:-1])
    rows = []
    for block in _blocks(np.minimum(reached, by_item.shape[0]), CHUNK_CELLS):
        counts = sp.csr_array(by_item[block] @ active)
        source = np.repeat(np.arange(block.start, block.stop), np.diff(counts.indptr))
        counts.data /= degree[source] ** SOURCE_EXPONENT * degree[counts.indices] ** TARGET_EXPONENT
        counts.data[counts.indices == source] = 0
        rows.append(_strongest(counts, settings.neighbours))
    return sp.csr_array(sp.vstack(rows))


def _blocks(sizes: npt.NDArray[np.int64], most: int) -> Iterator[slice]:
    """Consecutive slices that together cover `sizes` and each sum to at most `most`, or hold a single one."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(start, stop)
        start = stop


def _strongest(weights: sp.csr_array, most: int) -> sp.csr_array:
    """The `most` entries of largest magnitude of each row, none of them 0; of equal ones those of lower columns."""
    kept = []
    for start, stop in pairwise(weights.indptr.tolist()):
        if stop - start <= most:
            kept.append(np.arange(start, stop))
            continue
        magnitude = np.abs(weights.data[start:stop])
        least = np.partition(magnitude, -most)[-most]
        above, tied = np.flatnonzero(magnitude > least), np.flatnonzero(magnitude == least)
        tied = tied[np.argsort(weights.indices[start + tied])][: most - len(above)]
        kept.append(start + np.concatenate([above, tied]))
    places = np.concatenate(kept)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in kept])])
    strongest = sp.csr_array((weights.data[places], weights.indices[places], offsets), shape=weights.shape)
    strongest.eliminate_zeros()
    return strongest
