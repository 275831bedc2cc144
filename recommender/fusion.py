"""Rank fusion: sources' ranks become one score.

Weighted reciprocal rank fusion (after Cormack, Clarke, Büttcher, SIGIR 2009): a source of weight w that gives a candidate
rank r adds w / (constant + r); a source without an opinion adds nothing. Ranks, unlike scores, need no calibration between
sources, so a new source cannot drown the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.sources.source import NO_OPINION

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]


def united(candidates: Sequence[Rows]) -> Rows:
    """The different rows of several lists, each of shape (any,), ascending: shape (m,)."""
    joined = np.sort(np.concatenate(candidates)) if candidates else np.zeros(0, dtype=np.int32)
    first = np.ones(len(joined), dtype=np.bool_)
    np.not_equal(joined[1:], joined[:-1], out=first[1:])
    return joined[first]


def ranks(scores: Floats) -> Rows:
    """1-based rank of each candidate, shape as `scores` (m,), best first; ties by place; 0 where there is no opinion."""
    order = np.argsort(-scores, kind="stable")
    places = np.empty(len(scores), dtype=np.int32)
    places[order] = np.arange(1, len(scores) + 1, dtype=np.int32)
    places[scores == NO_OPINION] = 0
    return places


def contributions(source_ranks: Rows, weights: Floats, constant: float) -> Floats:
    """What each source adds: shape (m, s) from ranks (m, s), weights (s,) and the rank constant."""
    added: Floats = np.where(source_ranks > 0, weights / (np.float32(constant) + source_ranks.astype(np.float32)), np.float32(0))
    return added
