"""When a gain that held-out people show is taken for one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.judging.intervals import standard_error

CLEARLY = 1.0
"""Standard errors by which a gain has to stand out: what changes nothing would be taken by chance one time in six."""


def is_clear(gains: npt.NDArray[np.float64], people: npt.NDArray[np.integer]) -> bool:
    """Whether the mean of `gains`, shape (q,), stands out. `people`, shape (q,): whose each is; several of one person count as one witness.

    Nobody shows no gain. Raises ValueError for gains that are not finite.
    """
    return len(gains) > 0 and bool(gains.mean() > CLEARLY * standard_error(gains, people=people))
