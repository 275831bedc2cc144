"""Weighted lists of items, one of each item, as they are served: sparse rows in half precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.halves import Halves, halved


class Lists(NamedTuple):
    """A CSR matrix of shape (n, n): row i has the weights offsets[i] to offsets[i + 1] in the columns that stand at the same places.

    `offsets`: shape (n + 1,), int32. `columns`, `weights`: shape (z,), int32 and the bits of half-precision numbers.
    """

    offsets: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    weights: Halves

    @classmethod
    def of(cls, matrix: sp.csr_array) -> Lists:
        """The lists of a `matrix` of weights below 65,504."""
        offsets, columns = (np.asarray(array, dtype=np.int32) for array in (matrix.indptr, matrix.indices))
        return cls(offsets, columns, halved(matrix.data))

    @property
    def n(self) -> int:
        """Rows, and columns."""
        return len(self.offsets) - 1

    @property
    def values(self) -> npt.NDArray[np.float16]:
        """The weights as numbers, shape (z,)."""
        return self.weights.view(np.float16)

    def matrix(self) -> sp.csr_array:
        """The same as a matrix of shape (n, n), float32."""
        return sp.csr_array((self.values.astype(np.float32), self.columns, self.offsets), shape=(self.n, self.n))

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which rows hold anything, shape (n,)."""
        filled: npt.NDArray[np.bool_] = np.diff(self.offsets) > 0
        return filled
