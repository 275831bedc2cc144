"""Decay: older events count less, but never nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.times import DAY_US


def decay(at: npt.NDArray[np.int64], newest: int, half_life_days: float, *, floor: float) -> npt.NDArray[np.float64]:
    """Factor in [`floor`, 1] for each event of time `at` (µs), shape (m,).

    1 at `newest`; before it, what lies above `floor` halves with every `half_life_days`. The floor keeps a handful of new
    events from erasing an old archive.
    """
    # In place, since there may be tens of millions.
    factors: npt.NDArray[np.float64] = (newest - at) / DAY_US
    factors /= half_life_days
    np.power(0.5, factors, out=factors)
    factors *= 1 - floor
    factors += floor
    return factors
