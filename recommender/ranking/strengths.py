"""Strengths: sources' scores made comparable, so that they can be weighted against each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.sources.source import NO_OPINION

Floats = npt.NDArray[np.float32]


def strengths(scores: Floats, scale: float) -> Floats:
    """Each score over `scale`, what the best candidate of a query typically gets from this source: shape as `scores`, float32.

    0 where there is no opinion. One scale for all queries, unlike ranks or each query's own maximum, keeps how sure a source is of
    this query: a history that says much makes high scores.
    """
    return np.where(scores > NO_OPINION, scores, 0).astype(np.float32) / np.float32(scale)
