"""Leading singular vectors of a large sparse matrix, by random projection (Halko, Martinsson, Tropp, SIAM Review 2011)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from indexing.learn.blocks import CHUNK_CELLS, runs
from indexing.learn.degrees import column_sums, inverse_power, row_sums, scaled

OVERSAMPLING = 20
NOISE = 1e-3
"""Singular values below this share of the largest cannot be told from rounding in float32 and are dropped."""

Floats = npt.NDArray[np.float32]


def balanced(matrix: sp.csr_array) -> sp.csr_array:
    """D_U^-½ R D_I^-½ for R ≥ 0 of shape (p, n), D being sums of rows and of columns: float32; no singular value is above 1."""
    return scaled(matrix, inverse_power(row_sums(matrix), 0.5), inverse_power(column_sums(matrix), 0.5))


def right_singular_vectors(
    matrix: sp.csr_array, most: int, *, iterations: int, seed: int, cells: int = CHUNK_CELLS
) -> tuple[Floats, Floats]:
    """Singular values, shape (k,), falling, and right singular vectors, shape (n, k), of `matrix` R, shape (p, n), all float32.

    k is at most `most` and min(p, n) − 1, and less where the matrix has a lower rank. `iterations` ≥ 1: multiplications of the
    random start by RᵀR; more make the last vectors purer. The entry of largest magnitude of each vector is positive, so that
    the same matrix and seed give the same bytes. Besides some arrays of the shape of the result, intermediate ones have at
    most `cells` entries.
    """
    p, n = matrix.shape
    most = min(most, p - 1, n - 1)
    if most < 1 or matrix.nnz == 0:
        return np.zeros(0, dtype=np.float32), np.zeros((n, 0), dtype=np.float32)
    width = min(most + OVERSAMPLING, n)
    basis = np.random.default_rng(seed).standard_normal((n, width), dtype=np.float32)
    for _ in range(iterations):
        product = np.zeros((n, width), dtype=np.float32)
        for people, seen in _through(matrix, basis, cells):
            product += people.T @ seen
        # The basis need not be orthonormal, only well-conditioned, and so much costs a fraction of QR.
        basis = scipy.linalg.lu(product, permute_l=True, overwrite_a=True, check_finite=False)[0]
    inner = np.zeros((width, width))
    for _, seen in _through(matrix, basis, cells):
        inner += seen.T @ seen
    # Rayleigh–Ritz in a basis that is not orthonormal: a small generalised eigenproblem.
    squares, rotation = scipy.linalg.eigh(inner, (basis.T @ basis).astype(np.float64))
    order = np.argsort(-squares, kind="stable")[:most]
    values = np.sqrt(np.maximum(squares[order], 0))
    kept = values > NOISE * values[0]
    vectors = basis @ rotation[:, order[kept]].astype(np.float32)
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return values[kept].astype(np.float32), vectors


def _through(matrix: sp.csr_array, basis: Floats, cells: int) -> Iterator[tuple[sp.csr_array, Floats]]:
    """Blocks of people's rows, each with its product with `basis`."""
    for part in runs(matrix.shape[0], max(1, cells // basis.shape[1])):
        people = sp.csr_array(matrix[part])
        yield people, people @ basis
