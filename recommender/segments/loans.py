"""What items of a generation lend to each item of a delta, by which histories speak for items that nobody has consumed yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.halves import Halves, halved


class Loans(NamedTuple):
    """Loans to m items, at most k to each. `lenders`: shape (m, k), int32, rows of the generation, -1 behind the last. `weights`: shape
    (m, k), int16, the bits in half precision of what one unit of a lender's item–item score is worth."""

    lenders: npt.NDArray[np.int32]
    weights: Halves

    @classmethod
    def none(cls, m: int) -> Loans:
        """No loans to m items."""
        return cls(np.zeros((m, 0), dtype=np.int32), np.zeros((m, 0), dtype=np.int16))

    @classmethod
    def of(cls, weights: sp.csr_array) -> Loans:
        """Loans by `weights`, shape (m, n), CSR, below 65,504: a line for each item that borrows."""
        counts = np.diff(weights.indptr)
        shape = (len(counts), int(counts.max(initial=0)))
        made = cls(np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.int16))
        rows = np.repeat(np.arange(len(counts)), counts)
        places = np.arange(len(rows)) - np.repeat(weights.indptr[:-1], counts)
        made.lenders[rows, places], made.weights[rows, places] = weights.indices, halved(weights.data)
        return made

    def at(self, rows: npt.NDArray[np.integer]) -> Loans:
        """Those of `rows`, shape (r,); -1 for an item without any."""
        if not len(self.lenders):
            return Loans.none(len(rows))
        made = Loans(self.lenders[rows], self.weights[rows])
        made.lenders[np.asarray(rows) < 0] = -1
        return made


def joined(loans: Sequence[Loans]) -> Loans:
    """Loans to the items of all of `loans`, at least one, one after the other."""
    k = max(each.lenders.shape[1] for each in loans)
    lenders = [np.pad(each.lenders, ((0, 0), (0, k - each.lenders.shape[1])), constant_values=-1) for each in loans]
    weights = [np.pad(each.weights, ((0, 0), (0, k - each.weights.shape[1]))) for each in loans]
    return Loans(np.concatenate(lenders), np.concatenate(weights))
