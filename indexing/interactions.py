"""Events become the training matrix: who consumed what, how strongly, how long ago."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.decay import decay
from indexing.pace import paced
from recommender.event_table import EventTable, strongest_per_key
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
    events = events.acted().newest_per_person(settings.person_limit)
    rows = catalogue.rows_of(events.item)
    weights = events.weights(settings.event_weights)
    kept = np.flatnonzero((rows >= 0) & (weights != 0))
    people, person = np.unique(events.person[kept], return_inverse=True)
    places, strongest = strongest_per_key(person * np.int64(catalogue.n) + rows[kept], weights[kept])
    at = events.at[kept][places]
    factors = decay(at, int(at.max(initial=0)), settings.half_life_days, floor=FLOOR)
    # Decay moves weight from old events to new ones; the mean stays, so that regularisation means the same for any age of data.
    decayed = (strongest * factors / factors.mean()).astype(np.float32) if len(factors) else strongest
    matrix = sp.csr_array((decayed, (person[places], rows[kept][places])), shape=(len(people), catalogue.n))
    matrix.sort_indices()
    return matrix


def of_some_people(matrix: sp.csr_array, most: int, *, seed: int) -> sp.csr_array:
    """At most `most` of the people, rows of `matrix`, drawn without replacement; all where there are no more."""
    people = matrix.shape[0]
    if people <= most:
        return matrix
    return sp.csr_array(matrix[np.sort(np.random.default_rng(seed).choice(people, most, replace=False))])


def positive_part(matrix: sp.csr_array) -> sp.csr_array:
    """The entries above 0, the same shape."""
    positive = matrix.copy()
    positive.data = np.maximum(positive.data, 0)
    positive.eliminate_zeros()
    return positive


def rarity(matrix: sp.csr_array) -> float:
    """How many pairs of person and item there are for each one with an entry, the square root of it; items that nobody has do not
    count. 1 without entries."""
    learnt = int(np.count_nonzero(np.bincount(matrix.indices, minlength=matrix.shape[1])))
    return float(np.sqrt(matrix.shape[0] * learnt / matrix.nnz)) if matrix.nnz else 1.0
