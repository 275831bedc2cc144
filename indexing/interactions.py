"""Events become the training matrix: who consumed what, how strongly, how long ago."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.decay import decay
from indexing.pace import paced
from indexing.standing import Standing
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings

FLOOR = 0.05
"""Share of its weight that even the oldest event keeps."""


def interaction_matrix(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> sp.csr_array:
    """People by items, shape (p, n), CSR, float32: decayed event weights, one entry a pair, negative for dismissals.

    People stand in order of their numbers; items that the catalogue lacks are left out, and so is all but the newest events
    of each person (`person_limit`). Weights decay with age by `half_life_days`, counted from the newest event, around a mean
    factor of 1.
    """
    settings = paced(events, catalogue, settings)
    assert settings.half_life_days is not None
    standing = Standing.of(events, catalogue, settings)
    weights = faded(standing.weight, standing.at, settings.half_life_days)
    lengths = np.bincount(standing.person) if len(weights) else np.zeros(0, dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    matrix = sp.csr_array((weights, standing.item, ends.astype(np.int32)), shape=(len(lengths), catalogue.n))
    matrix.sort_indices()
    return matrix


def faded(weights: npt.NDArray[np.float32], at: npt.NDArray[np.int64], half_life_days: float) -> npt.NDArray[np.float32]:
    """`weights` of events at `at` (µs), both shape (m,), decayed with their age before the newest.

    Decay moves weight from old events to new ones; its mean factor is 1, so that regularisation means the same for any age of data.
    """
    if not len(at):
        return weights
    factors = decay(at, int(at.max()), half_life_days, floor=FLOOR)
    factors /= factors.mean()
    factors *= weights
    return factors.astype(np.float32)


def of_some_people(matrix: sp.csr_array, most: int, *, seed: int) -> sp.csr_array:
    """At most `most` of the people, rows of `matrix`, drawn without replacement; all where there are no more."""
    people = matrix.shape[0]
    if people <= most:
        return matrix
    return sp.csr_array(matrix[np.sort(np.random.default_rng(seed).choice(people, most, replace=False))])


def positive_part(matrix: sp.csr_array) -> sp.csr_array:
    """The entries above 0, the same shape; the very same matrix where there are no others."""
    if not matrix.nnz or matrix.data.min() > 0:
        return matrix
    positive = matrix.copy()
    positive.data = np.maximum(positive.data, 0)
    positive.eliminate_zeros()
    return positive


def of_learnt(matrix: sp.csr_array) -> tuple[sp.csr_array, npt.NDArray[np.int32]]:
    """The columns of `matrix` that have entries, and which they are, ascending: shape (k,), int32."""
    learnt = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1])).astype(np.int32)
    return matrix if len(learnt) == matrix.shape[1] else sp.csr_array(matrix[:, learnt]), learnt


def rarity(matrix: sp.csr_array) -> float:
    """How many pairs of person and item there are for each one with an entry, the square root of it; items that nobody has do not
    count. 1 without entries."""
    learnt = int(np.count_nonzero(np.bincount(matrix.indices, minlength=matrix.shape[1])))
    return float(np.sqrt(matrix.shape[0] * learnt / matrix.nnz)) if matrix.nnz else 1.0
