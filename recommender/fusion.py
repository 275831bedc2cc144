"""Rank fusion: sources' ranks become one score.

Weighted reciprocal rank fusion (after Cormack, Clarke, Büttcher, SIGIR 2009): a source of weight w that gives a candidate
rank r adds w / (constant + r); a source without an opinion adds nothing. Ranks, unlike scores, need no calibration between
sources, so a new source cannot drown the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.kernels import opinions, ranks_of

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]


def united(candidates: Sequence[Rows]) -> Rows:
    """The different rows of several lists, each of shape (any,), ascending: shape (m,)."""
    joined = np.sort(np.concatenate(candidates)) if candidates else np.zeros(0, dtype=np.int32)
    first = np.ones(len(joined), dtype=np.bool_)
    np.not_equal(joined[1:], joined[:-1], out=first[1:])
    return joined[first]


def ranked(scores: Floats, scale: float) -> tuple[Floats, Rows]:
    """How strongly a source speaks for candidates and how it ranks them, by its `scores`: all of shape (m,).

    Strengths are scores over `scale`, what the best candidate of a query typically gets from this source, 0 where there is no opinion.
    One scale for all queries, unlike ranks or each query's own maximum, keeps how sure a source is of this query: a history that says
    much makes high scores. Ranks count from 1 for the best, ties by place; 0 where there is no opinion.
    """
    strengths, ranks = np.empty(len(scores), dtype=np.float32), np.zeros(len(scores), dtype=np.int32)
    keys = opinions(scores, np.float32(scale), strengths)
    keys.sort()
    ranks_of(keys, ranks)
    return strengths, ranks


def contributions(source_ranks: Rows, weights: Floats, constant: float) -> Floats:
    """What each source adds: shape (m, s) from ranks (m, s), weights (s,) and the rank constant."""
    added: Floats = np.where(source_ranks > 0, weights / (np.float32(constant) + source_ranks.astype(np.float32)), np.float32(0))
    return added
