"""Rank fusion: sources' ranks become one score.

Weighted reciprocal rank fusion (after Cormack, Clarke, Büttcher, SIGIR 2009): a source of weight w that gives a candidate
rank r adds w / (constant + r); a source without an opinion adds nothing. Ranks, unlike scores, need no calibration between
sources, so a new source cannot drown the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.sources.source import NO_OPINION

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]


def united(candidates: list[Rows]) -> Rows:
    """The different rows of several candidate lists, each (b, any), as (b, m), ascending; padded with -1 at the end."""
    joined = np.sort(np.concatenate(candidates, axis=1), axis=1)
    last = np.iinfo(np.int32).max
    repeated = np.zeros(joined.shape, dtype=np.bool_)
    repeated[:, 1:] = joined[:, 1:] == joined[:, :-1]
    joined[repeated | (joined < 0)] = last
    joined.sort(axis=1)
    m = int((joined != last).sum(axis=1).max(initial=0))
    joined = joined[:, :m]
    return np.where(joined == last, np.int32(-1), joined)


def ranks(scores: Floats) -> Rows:
    """1-based rank of each candidate, shape as `scores` (b, m), best first; ties by place; 0 where there is no opinion."""
    order = np.argsort(-scores, axis=1, kind="stable")
    places = np.empty(scores.shape, dtype=np.int32)
    np.put_along_axis(places, order, np.arange(1, scores.shape[1] + 1, dtype=np.int32)[None, :], axis=1)
    return np.where(scores > NO_OPINION, places, np.int32(0))


def contributions(source_ranks: Rows, weights: Floats, constants: Floats) -> Floats:
    """What each source adds: shape (b, m, s) from ranks (b, m, s), weights (b, s) and rank constants (b,)."""
    added = weights[:, None, :] / (constants[:, None, None] + source_ranks.astype(np.float32))
    return np.where(source_ranks > 0, added, 0).astype(np.float32)
