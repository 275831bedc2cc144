"""Sums and products of single vectors, for compiled loops to call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, reordered

Floats = npt.NDArray[np.float32]


@reordered
def product(one: Floats, other: Floats) -> np.float32:
    """Inner product of two vectors, both of shape (d,)."""
    total = np.float32(0)
    for at in range(len(one)):
        total += one[at] * other[at]
    return total


@compiled
def add_to(total: Floats, weight: np.float32, vector: Floats) -> None:
    """Add `weight` times `vector` to `total`, both of shape (d,)."""
    for at in range(len(total)):
        total[at] += weight * vector[at]
