"""EASE (Steck, WWW 2019): ridge regression of every item on all others, in closed form: B = I − P / diag(P), P = (G + λI)⁻¹."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from indexing.learn.blocks import runs
from indexing.learn.strongest import strongest_of_dense, transposed
from recommender.compiling import compiled
from recommender.errors import InvalidInput

SINGLE_CONDITION = 1e4
"""Up to this condition number single precision agrees with double to 1e-4 of the largest weight."""
DOUBLE_CONDITION = 1e12
"""Up to this one double precision has a solution worth the name."""

Matrix = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]


def factorised(scaled: sp.csc_array, penalty: float) -> Matrix:
    """Lower Cholesky factor L of XᵀX + λI = LLᵀ, shape (k, k), column-major; what stands above the diagonal means nothing.

    `scaled` X: people by items, shape (p, k), float32, ≥ 0, people of each item ascending. Float32 where that is precise enough, float64
    otherwise. Raises `InvalidInput` where λ is too small even for that.
    """
    k = scaled.shape[1]
    # The largest eigenvalue of a matrix that is nowhere negative is at most its largest row sum, here XᵀX1.
    largest = float((scaled.T @ (scaled @ np.ones(k))).max())
    condition = (largest + penalty) / penalty
    precision = np.float32 if condition <= SINGLE_CONDITION else np.float64
    system = _upper_gram(scaled.indptr, scaled.indices, scaled.data.astype(precision, copy=False), scaled.shape[0])
    system[np.diag_indices(k)] += penalty
    factorise = scipy.linalg.get_lapack_funcs("potrf", (system,))
    # The transpose, which LAPACK can overwrite, is column-major and has what counts below the diagonal.
    factor, failed = factorise(system.T, lower=True, clean=False, overwrite_a=True)
    if failed or condition > DOUBLE_CONDITION:
        raise InvalidInput(
            "item_item.regularisation", penalty, f"at least {largest / DOUBLE_CONDITION:.1e} with these events (both after scaling)"
        )
    return np.asarray(factor)


@compiled
def _upper_gram(ends: Integers, people: Integers, values: Matrix, p: int) -> Matrix:
    """XᵀX of a matrix X of shape (p, k), by columns: a dense (k, k) array of the same type, below whose diagonal all stays 0."""
    k = len(ends) - 1
    starts = np.zeros(p + 1, dtype=np.int32)
    for at in range(ends[k]):
        starts[people[at] + 1] += 1
    for person in range(p):
        starts[person + 1] += starts[person]
    # Each person's columns, ascending.
    filled, columns, weights = starts[:p].copy(), np.empty(ends[k], dtype=np.int32), np.empty(ends[k], dtype=values.dtype)
    for column in range(k):
        for at in range(ends[column], ends[column + 1]):
            place = filled[people[at]]
            columns[place], weights[place] = column, values[at]
            filled[people[at]] = place + 1
    gram = np.zeros((k, k), dtype=values.dtype)
    for column in range(k):
        line = gram[column]
        for at in range(ends[column], ends[column + 1]):
            first, place = starts[people[at]], starts[people[at] + 1] - 1
            while place >= first and columns[place] >= column:
                line[columns[place]] += values[at] * weights[place]
                place -= 1
    return gram


def dense_ridge(scaled: sp.csr_array, penalty: float, inputs: int, *, cells: int) -> sp.csr_array:
    """Weights between k items, shape (k, k), CSR, row j holding what item j says for others; diagonal zero.

    `scaled`: people by items, shape (p, k), float32, ≥ 0, each item with an entry. For each item the `inputs` largest weights
    of others are kept. Takes 4 bytes for every pair of items (8 or 12 where single precision would not do).
    """
    factor = factorised(sp.csc_array(scaled), penalty)
    k = len(factor)
    invert = scipy.linalg.get_lapack_funcs("potri", (factor,))
    inverse, _ = invert(factor, lower=True, overwrite_c=True)
    diagonal = np.diag(inverse).copy()
    by_target = []
    for block in runs(k, max(1, cells // k)):
        # Only the lower triangle is there; what lies above it is mirrored.
        rows = np.tril(inverse[block], block.start)
        rows[:, block.start :] += np.tril(inverse[block.start :, block], -1).T
        rows /= -diagonal[block][:, None]
        rows[np.arange(len(rows)), np.arange(block.start, block.stop)] = 0
        by_target.append(strongest_of_dense(rows.astype(np.float32), inputs))
    return transposed(by_target)
