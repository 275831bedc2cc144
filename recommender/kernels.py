"""Compiled loops that several sources share: what plain NumPy would do in several passes over memory, or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.instructions import prefetch

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

Halves = npt.NDArray[np.int16]
Lows = npt.NDArray[np.uint16]

_LINE = 32
"""Numbers of two bytes that a processor fetches at once."""
FREE = np.int32(-1)
"""Stands in an empty place of a table."""
GOLDEN = np.uint32(2_654_435_769)
"""2³² over the golden ratio: multiplied by it, numbers that follow each other land far apart (Knuth, TAOCP 3, 6.4)."""


@compiled
def prefetch_list(offsets: Rows, lows: Lows, weights: Halves, sections: int, row: np.int32) -> None:
    """Have what row `row` of `Lists` holds brought into the nearest cache."""
    for at in range(offsets[row * sections], offsets[(row + 1) * sections], _LINE):
        prefetch(lows, at)
        prefetch(weights, at)


@compiled
def any_of(mask: Mask, rows: Rows) -> bool:
    """Whether the `mask`, shape (n,), is true at any of `rows`."""
    found = False
    for row in rows:
        found |= mask[row]
    return found


@compiled
def bits_of_liked(bits: npt.NDArray[np.uint16], rows: Rows, weights: Floats) -> int:
    """The bits, shape (n,), of all `rows`, shape (h,), of a weight above 0 together."""
    found = 0
    for place in range(len(rows)):
        if weights[place] > 0:
            found |= bits[rows[place]]
    return found


@compiled
def below_infinity(scores: Floats) -> bool:
    """Whether each of `scores`, shape (m,), is a number, or -inf for no opinion."""
    sound = True
    for place in range(len(scores)):
        sound &= scores[place] < np.inf
    return sound


@compiled
def above_zero(scores: Floats) -> Floats:
    """`scores`, shape (r,), with -inf for those that are 0 or less; what is no number stays, to be found out. In place."""
    for place in range(len(scores)):
        if scores[place] <= 0:
            scores[place] = -np.inf
    return scores
