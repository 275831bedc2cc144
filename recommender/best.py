"""The best few of many scores, cut off in a way that does not depend on how they were sorted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.kernels import passing, passing_of_all

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


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


def best_of(rows: Rows, scores: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` best of different `rows`, shape (c,), by their `scores`, of those that are `allowed`, shape (n,), and above 0; ties go to
    the lower row. In no order."""
    return _best(*passing(rows, scores, allowed), limit)


def best_rows(scores: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` best rows by `scores`, shape (n,), of those that are `allowed` and above 0; ties go to the lower row. In no order."""
    return _best(*passing_of_all(scores, allowed), limit)


def _best(rows: Rows, scores: Floats, limit: int) -> Rows:
    if len(rows) <= limit:
        return rows
    if limit == 0:
        return rows[:0]
    cut = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    better = rows[scores > cut]
    return np.concatenate([better, np.sort(rows[scores == cut])[: limit - len(better)]])
