"""All trees of a ranker over many rows at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.instructions import low_ones

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

_ROWS_AT_ONCE = 128
"""As many rows as lie in the nearest cache together with what is struck of a tree for them."""


@compiled
def struck_trees(
    starts: npt.NDArray[np.int64], columns: Rows, thresholds: Floats, missing_left: Mask, struck: Words, values: Floats, x: Floats
) -> Floats:
    """Sum over t trees for each row of `x`, shape (m, f): shape (m,).

    Tree i asks the questions from starts[i] to before starts[i + 1]: each strikes leaves off for rows whose value in one of the `columns`
    exceeds its threshold. `values`: shape (t, l), of leaves from left to right; the first that remains is where a walk would end.
    """
    scores = np.empty(len(x), dtype=np.float32)
    turned = np.empty((x.shape[1], _ROWS_AT_ONCE), dtype=np.float32)
    gone, sums = np.empty(_ROWS_AT_ONCE, dtype=np.uint64), np.empty(_ROWS_AT_ONCE, dtype=np.float64)
    for first in range(0, len(x), _ROWS_AT_ONCE):
        size = min(_ROWS_AT_ONCE, len(x) - first)
        for row in range(size):
            for column in range(x.shape[1]):
                turned[column, row] = x[first + row, column]
        for row in range(size):
            sums[row] = 0
        for tree in range(len(values)):
            for row in range(size):
                gone[row] = 0
            for at in range(starts[tree], starts[tree + 1]):
                asked, threshold, leaves = turned[columns[at]], thresholds[at], struck[at]
                # A missing value neither exceeds a threshold nor is at most that.
                if missing_left[at]:
                    for row in range(size):
                        gone[row] |= leaves if asked[row] > threshold else np.uint64(0)
                else:
                    for row in range(size):
                        gone[row] |= np.uint64(0) if asked[row] <= threshold else leaves
            line = values[tree]
            for row in range(size):
                sums[row] += line[low_ones(gone[row])]
        for row in range(size):
            scores[first + row] = sums[row]
    return scores
