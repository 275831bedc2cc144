"""Weighted lists of items, one of each item, as they are served: sparse rows in half precision, at four bytes a weight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.halves import Halves, halved

SECTION_BITS = 16
"""A section is so many columns, as two to the power of this, that two bytes tell them apart."""


def sections_of(n: int) -> int:
    """How many sections n columns make, at least one."""
    return max(1, -(-n >> SECTION_BITS))


class Lists(NamedTuple):
    """A CSR matrix of shape (n, n), its columns in sections: row i has, in the columns of section g of s, the weights
    offsets[i · s + g] to offsets[i · s + g + 1], and of each column the low bits at the same place, ascending.

    `offsets`: shape (n · s + 1,), int32. `lows`, `weights`: shape (z,), uint16 and the bits of half-precision numbers. `sections`: s. Two
    bytes of each column are kept instead of four, which is a third of all that is read.
    """

    offsets: npt.NDArray[np.int32]
    lows: npt.NDArray[np.uint16]
    weights: Halves
    sections: int

    @classmethod
    def of(cls, matrix: sp.csr_array) -> Lists:
        """The lists of a `matrix` of weights below 65,504."""
        matrix = matrix.sorted_indices()
        n, sections = matrix.shape[0], sections_of(matrix.shape[1])
        columns = np.asarray(matrix.indices, dtype=np.int32)
        place = np.repeat(np.arange(n, dtype=np.int32), np.diff(matrix.indptr)) * np.int32(sections) + (columns >> SECTION_BITS)
        offsets = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=n * sections))]).astype(np.int32)
        return cls(offsets, (columns & (2**SECTION_BITS - 1)).astype(np.uint16), halved(matrix.data), sections)

    @property
    def n(self) -> int:
        """Rows, and columns."""
        return (len(self.offsets) - 1) // self.sections

    @property
    def values(self) -> npt.NDArray[np.float16]:
        """The weights as numbers, shape (z,)."""
        return self.weights.view(np.float16)

    @property
    def columns(self) -> npt.NDArray[np.int32]:
        """The column of each weight, shape (z,)."""
        section = np.repeat(np.tile(np.arange(self.sections, dtype=np.int32), self.n), np.diff(self.offsets))
        return (section << SECTION_BITS) | self.lows

    def matrix(self) -> sp.csr_array:
        """The same as a matrix of shape (n, n), float32."""
        return sp.csr_array((self.values.astype(np.float32), self.columns, self.offsets[:: self.sections].copy()), shape=(self.n, self.n))

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which rows hold anything, shape (n,)."""
        filled: npt.NDArray[np.bool_] = np.diff(self.offsets[:: self.sections]) > 0
        return filled
