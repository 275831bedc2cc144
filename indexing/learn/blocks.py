"""Work cut into pieces, so that intermediate results stay small whatever the size of the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

CHUNK_CELLS = 2**22
"""Entries of an intermediate result at the most; some 16 bytes each."""


def blocks(sizes: npt.NDArray[np.int64], most: int) -> Iterator[slice]:
    """Consecutive slices that together cover `sizes`, shape (m,), and each sum to at most `most`, or hold a single one."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(start, stop)
        start = stop


def runs(count: int, most: int) -> Iterator[slice]:
    """Consecutive slices of at most `most` that together cover range(`count`)."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))
