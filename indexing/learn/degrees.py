"""Degrees of people and items, and powers of them to divide by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp


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
