"""Item–item weights: a closed-form linear model where the catalogue allows it, normalised co-occurrence above."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.interactions import positive_part
from recommender.profile import ItemItem

SOURCE_EXPONENT = 0.5
TARGET_EXPONENT = 0.3
CHUNK_CELLS = 2**26


def item_item_weights(matrix: sp.csr_array, settings: ItemItem) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32, from people by items; at most `neighbours` a row, diagonal zero.

    Row j says what one unit of weight on item j adds to the score of each other item.
    """
    n = matrix.shape[1]
    positive = positive_part(matrix)
    learnt = np.flatnonzero(np.bincount(positive.indices, minlength=n))
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
    """
    totals = np.asarray(active.sum(axis=1)).ravel()
    scale = np.where(totals > 0, np.maximum(totals, 1e-9) ** -settings.degree_exponent, 0)
    scaled = sp.csr_array(sp.diags_array(scale.astype(np.float32)) @ active)
    gram = (scaled.T @ scaled).toarray().astype(np.float64)
    # λ is given for counts of people; the scaling shrinks the Gram matrix, so λ shrinks with its mean diagonal.
    plain = float(active.power(2).sum())
    shrink = float(np.trace(gram)) / plain if plain > 0 else 1.0
    gram[np.diag_indices_from(gram)] += settings.regularisation * shrink
    inverse = np.linalg.inv(gram)
    weights = (-inverse / np.diag(inverse)[None, :]).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return _strongest(weights, settings.neighbours)


def _cooccurrence(active: sp.csr_array, settings: ItemItem) -> sp.csr_array:
    """Co-occurrence counts over (source degree ** .5 · target degree ** .3), a block of rows at a time."""
    by_item = sp.csr_array(active.T)
    degree = np.maximum(np.asarray(by_item.sum(axis=1)).ravel(), 1e-9)
    n = by_item.shape[0]
    step = max(1, CHUNK_CELLS // n)
    blocks = []
    for start in range(0, n, step):
        counts = (by_item[start : start + step] @ active).toarray()
        counts /= degree[start : start + step, None] ** SOURCE_EXPONENT * degree[None, :] ** TARGET_EXPONENT
        counts[np.arange(len(counts)), np.arange(start, start + len(counts))] = 0
        blocks.append(_strongest(counts.astype(np.float32), settings.neighbours))
    return sp.csr_array(sp.vstack(blocks))


def _strongest(weights: npt.NDArray[np.float32], most: int) -> sp.csr_array:
    """The `most` entries of largest magnitude of each row, as a sparse matrix."""
    most = min(most, weights.shape[1])
    rows = np.repeat(np.arange(weights.shape[0]), most)
    columns = np.argpartition(-np.abs(weights), most - 1, axis=1)[:, :most].ravel()
    data = weights[rows, columns]
    kept = data != 0
    return sp.csr_array((data[kept], (rows[kept], columns[kept])), shape=weights.shape)
