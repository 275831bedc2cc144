"""The different numbers of long arrays, and which numbers are among others, by sorting.

`np.unique` and `np.isin` hash integers first, which takes many times as long for millions of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def distinct(*columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The different numbers of all `columns`, at least one of them, each of shape (any,); ascending."""
    numbers = np.sort(np.concatenate(columns))
    return numbers[np.append(True, numbers[1:] != numbers[:-1])] if len(numbers) else numbers


def among(numbers: npt.NDArray[np.int64], ascending: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each of `numbers`, shape (m,), is one of `ascending`, shape (n,), which is sorted; shape (m,)."""
    if not len(ascending):
        return np.zeros(len(numbers), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ascending, numbers), len(ascending) - 1)
    found: npt.NDArray[np.bool_] = ascending[places] == numbers
    return found
