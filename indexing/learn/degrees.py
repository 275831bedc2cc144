"""Degrees of people and items, powers of them to divide by, and matrices that were."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.compiling import compiled

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]


def row_sums(matrix: sp.csr_array) -> npt.NDArray[np.float64]:
    """Sum of each row of (p, n), shape (p,)."""
    return np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel()


def column_sums(matrix: sp.csr_array) -> npt.NDArray[np.float64]:
    """Sum of each column of (p, n), shape (n,)."""
    return np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()


def inverse_power(degrees: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """degrees ** −exponent, the same shape; 0 where the degree, which is never negative, is 0."""
    powers: npt.NDArray[np.float64] = np.where(degrees > 0, np.where(degrees > 0, degrees, 1) ** -exponent, 0)
    return powers


def scaled(matrix: sp.csr_array, by_row: Doubles | None = None, by_column: Doubles | None = None) -> sp.csr_array:
    """`matrix`, float32, (p, n), with each entry times that of its row, of shape (p,), and that of its column, (n,): float32."""
    p, n = matrix.shape
    rows, columns = (np.ones(length) if factors is None else factors for length, factors in ((p, by_row), (n, by_column)))
    return sp.csr_array((_scaled(matrix.indptr, matrix.indices, matrix.data, rows, columns), matrix.indices, matrix.indptr), shape=(p, n))


@compiled
def _scaled(ends: Integers, columns: Integers, values: Floats, by_row: Doubles, by_column: Doubles) -> Floats:
    made = np.empty(len(values), dtype=np.float32)
    for row in range(len(ends) - 1):
        for place in range(ends[row], ends[row + 1]):
            made[place] = by_row[row] * values[place] * by_column[columns[place]]
    return made
