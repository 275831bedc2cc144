"""Decay: older events count less, but never nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.times import DAY_US

FLOOR = 0.05
"""Share of its weight that even the oldest event keeps. Without it a handful of new events would erase an old archive."""


def decay(at: npt.NDArray[np.int64], half_life_days: float, *, floor: float = FLOOR) -> npt.NDArray[np.float64]:
    """Factor in [`floor`, 1] for each event of time `at` (µs), shape (m,): 1 for the newest, the part above `floor` halved with
    every `half_life_days` before it."""
    age_days = (at.max(initial=np.iinfo(np.int64).min) - at) / DAY_US if len(at) else np.zeros(0)
    return floor + (1 - floor) * 0.5 ** (age_days / half_life_days)
