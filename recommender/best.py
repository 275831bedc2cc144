"""The best few of many scores, cut off in a way that does not depend on how they were sorted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def best_places(scores: npt.NDArray[np.float32], limit: int) -> npt.NDArray[np.int64]:
    """Places of the `limit` highest of `scores`, shape (m,), none of them NaN; all where m is not larger. In no order.

    Of equal scores at the cut the lower places are taken, so that ties break by item number where rows ascend.
    """
    if len(scores) <= limit:
        return np.arange(len(scores))
    if limit == 0:
        return np.zeros(0, dtype=np.int64)
    cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    better = np.flatnonzero(scores > cut)
    return np.concatenate([better, np.flatnonzero(scores == cut)[: limit - len(better)]])
