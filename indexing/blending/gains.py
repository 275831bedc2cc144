"""When a gain that held-out people show is taken for one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.judging.intervals import standard_error

CLEARLY = 1.0
"""Standard errors by which a gain has to stand out: what changes nothing would be taken by chance one time in six."""


def is_clear(gains: npt.NDArray[np.float64], people: npt.NDArray[np.integer]) -> bool:
    """Whether the mean of `gains`, shape (q,), those of one of the `people`, shape (q,), being no more evidence than one, stands out."""
    return len(gains) > 0 and bool(gains.mean() > CLEARLY * standard_error(gains, people=people))
