"""A delta as rows over a generation of n items: what is new has rows from n on, what changed keeps the row that models know it by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from recommender.generation.catalogue import Catalogue
from recommender.overlay.borrowing import Borrowing
from recommender.overlay.overlay_kernels import all_as_built, lent_to, places_of, put_changed
from recommender.read_only import read_only
from recommender.segments.delta import Delta
from recommender.segments.loans import Loans

Value = TypeVar("Value", bound=np.generic)
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Halves = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Overlay:
    """A `delta` over a generation of `n` items, as of `change` of the store's sequence: m of its items are added, r are revised.

    `added`: shape (m,), int32: row n + i is row `added[i]` of the delta, in order of item numbers. `revised`: shape (r,), int32, rows of
    the delta that are newer versions of the items at `revised_rows` of the generation, shape (r,), int32, ascending.
    """

    n: int
    delta: Delta
    added: Rows
    revised: Rows
    revised_rows: Rows
    change: int

    @classmethod
    def of(cls, catalogue: Catalogue, delta: Delta, gone: Mask, change: int) -> Overlay:
        """`delta` over `catalogue`, of whose rows those that are `gone`, shape (n,), stand for nothing any more: an item of such a number
        was made anew and is another one."""
        rows = catalogue.rows_of(delta.numbers)
        known = rows >= 0
        known[known] = ~gone[rows[known]]
        revised = np.flatnonzero(known).astype(np.int32)
        return cls(catalogue.n, delta, np.flatnonzero(~known).astype(np.int32), revised, rows[revised], change)

    @property
    def m(self) -> int:
        """How many items are added."""
        return len(self.added)

    @cached_property
    def halves(self) -> Halves:
        """Vectors of the added items, shape (m, d), int16, zeros for those without."""
        return np.ascontiguousarray(self.delta.halves[self.added])

    @cached_property
    def has_vector(self) -> Mask:
        """Which of the added items have a vector, shape (m,)."""
        return self.delta.has_vector[self.added]

    @cached_property
    def loans(self) -> Loans:
        """What is lent to the added items, a line for each."""
        loans = self.delta.loans.at(self.added)
        return Loans(read_only(loans.lenders), read_only(loans.weights))

    @cached_property
    def borrowing(self) -> Borrowing:
        """The same by lender."""
        return Borrowing.of(self.loans, self.n)

    @cached_property
    def engine_rows(self) -> Rows:
        """The row of each item of the delta, 0 to n + m − 1, shape (m + r,)."""
        rows = np.empty(self.m + len(self.revised), dtype=np.int32)
        rows[self.added], rows[self.revised] = np.arange(self.n, self.n + self.m), self.revised_rows
        return read_only(rows)

    def lent_by(self, rows: Rows, strengths: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What `rows` lend to each added item by their `strengths`, both of shape (l,): shape (m,)."""
        return lent_to(rows, strengths, *self.borrowing, m=self.m)

    def places(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Where the delta has the items of `rows`, shape (r,), 0 to n + m − 1: rows of it, the same shape; -1 for what did not change."""
        return places_of(np.asarray(rows, dtype=np.int32), self.n, self.added, self.revised_rows, self.revised)

    def leaves(self, rows: npt.NDArray[np.integer]) -> bool:
        """Whether all of `rows` are of the generation, and as it was built."""
        return all_as_built(np.asarray(rows, dtype=np.int32), self.n, self.revised_rows)

    def put(self, mask: Mask, changed: Mask, live: Mask) -> None:
        """Write over the `mask` of all, shape (n + m,), what `changed`, shape (m + r,), says of the delta's items, as far as they are
        `live`, shape (n + m,)."""
        put_changed(mask, live, changed, self.n, self.added, self.revised_rows, self.revised)

    def beside(self, base: npt.NDArray[Value], added: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Values of the generation, shape (n, …), then those of the added items, shape (m, …): shape (n + m, …)."""
        return np.concatenate([base, added])
