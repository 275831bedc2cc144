"""Sums over very many pairs, of which only the largest of each row are kept: compiled, and shared by the processor's cores.

Rows are summed up one by one in an accumulator as long as a row, so that no intermediate result is larger than what is kept. Results
do not depend on the number of cores.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.blocks import runs
from recommender.compiling import compiled
from recommender.cores import shared

ROWS = 1_024
"""Rows that a core takes at a time."""

Offsets = npt.NDArray[np.integer]
Columns = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def strongest_product(left: sp.csr_array, right: sp.csr_array, most: int, *, own: bool = True) -> sp.csr_array:
    """`left` @ `right`, (r, k) by (k, n), CSR, float32, of which each row keeps the `most` entries of largest magnitude, none of them 0.

    Of equal ones those of lower columns stay; indices are sorted. Without `own`, entry i of row i is left out.
    """
    first = (left.indptr, left.indices.astype(np.int32, copy=False), left.data.astype(np.float32, copy=False))
    second = (right.indptr, right.indices.astype(np.int32, copy=False), right.data.astype(np.float32, copy=False))
    rows, n = left.shape[0], right.shape[1]

    def made(part: slice) -> tuple[Columns, Columns, Floats]:
        return _products(*first, *second, part.start, part.stop, n, most, own)

    return stacked(shared(made, runs(rows, ROWS)), (rows, n))


def stacked(parts: list[tuple[Columns, Columns, Floats]], shape: tuple[int, int]) -> sp.csr_array:
    """The rows of all `parts`, each lengths, columns and values, as one CSR array."""
    lengths = np.concatenate([np.zeros(1, dtype=np.int64), *(part[0] for part in parts)])
    columns = np.concatenate([np.zeros(0, dtype=np.int32), *(part[1] for part in parts)])
    values = np.concatenate([np.zeros(0, dtype=np.float32), *(part[2] for part in parts)])
    return sp.csr_array((values, columns, np.cumsum(lengths).astype(np.int32)), shape=shape)


@compiled
def keep_strongest(sums: Doubles, touched: Columns, count: int, most: int, columns: Columns, values: Floats, start: int) -> int:
    """Put the strongest `most` of the `sums` at the `count` columns `touched` into `columns` and `values` from `start` on, by column,
    and return how many they are; the sums at all of them are 0 afterwards."""
    found = touched[:count]
    sizes = np.empty(count, dtype=np.float32)
    for place in range(count):
        sizes[place] = abs(np.float32(sums[found[place]]))
    least = np.float32(0)
    if count > most:
        least = np.partition(sizes, count - most)[count - most]
    kept, tied = 0, 0
    ties = np.empty(count, dtype=np.int32)
    chosen = np.empty(min(count, most), dtype=np.int32)
    for place in range(count):
        if sizes[place] > least:
            chosen[kept] = found[place]
            kept += 1
        elif sizes[place] == least and least > 0:
            ties[tied] = found[place]
            tied += 1
    if tied:
        by_column = np.sort(ties[:tied])
        for place in range(min(tied, len(chosen) - kept)):
            chosen[kept] = by_column[place]
            kept += 1
    ordered = np.sort(chosen[:kept])
    for place in range(kept):
        columns[start + place] = ordered[place]
        values[start + place] = np.float32(sums[ordered[place]])
    for place in range(count):
        sums[found[place]] = 0.0
    return kept


@compiled
def _products(
    left_offsets: Offsets,
    left_columns: Columns,
    left_values: Floats,
    right_offsets: Offsets,
    right_columns: Columns,
    right_values: Floats,
    start: int,
    stop: int,
    n: int,
    most: int,
    own: bool,
) -> tuple[Columns, Columns, Floats]:
    sums, seen = np.zeros(n), np.zeros(n, dtype=np.bool_)
    touched = np.empty(n, dtype=np.int32)
    lengths = np.zeros(stop - start, dtype=np.int32)
    columns = np.empty((stop - start) * min(most, n), dtype=np.int32)
    values = np.empty(len(columns), dtype=np.float32)
    filled = 0
    for row in range(start, stop):
        count = 0
        for at in range(left_offsets[row], left_offsets[row + 1]):
            inner, strength = left_columns[at], np.float64(left_values[at])
            for place in range(right_offsets[inner], right_offsets[inner + 1]):
                column = right_columns[place]
                if not seen[column]:
                    seen[column] = True
                    touched[count] = column
                    count += 1
                sums[column] += strength * right_values[place]
        if not own and row < n:
            sums[row] = 0.0
        for place in range(count):
            seen[touched[place]] = False
        lengths[row - start] = keep_strongest(sums, touched, count, most, columns, values, filled)
        filled += lengths[row - start]
    return lengths, columns[:filled].copy(), values[:filled].copy()
