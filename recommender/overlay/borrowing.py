"""What items of a generation lend to those that an overlay adds, by lender, as a history asks for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.halves import Halves
from recommender.read_only import read_only
from recommender.segments.loans import Loans

Rows = npt.NDArray[np.int32]


class Borrowing(NamedTuple):
    """What is lent to the m items that an overlay adds, by lender, as `lent_to` takes it."""

    lenders: Rows
    starts: Rows
    items: Rows
    weights: Halves

    @classmethod
    def of(cls, loans: Loans, n: int) -> Borrowing:
        """The `loans` of n items to m others."""
        items, places = np.nonzero((loans.lenders >= 0) & (loans.lenders < n))
        lenders = loans.lenders[items, places]
        order = np.argsort(lenders, kind="stable")
        each, starts = np.unique(lenders[order], return_index=True)
        ends, borrowers = np.append(starts, len(order)).astype(np.int32), items[order].astype(np.int32)
        return cls(read_only(each), read_only(ends), read_only(borrowers), read_only(loans.weights[items, places][order]))
