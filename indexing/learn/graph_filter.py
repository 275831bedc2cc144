"""The spectrum of the graph of people and items: what a low-pass filter on it needs."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.interactions import of_some_people, positive_part
from indexing.learn.degrees import column_sums, inverse_power
from indexing.learn.singular_vectors import balanced, right_singular_vectors
from recommender.graph_filter import ItemSpectrum
from recommender.profile import Graph

ITERATIONS = 6
"""Measured on check-ins, 30,000 people by 41,000 places, 512 vectors: two give .176 recall among the first 20, four .186, six
.189, and more give no more."""

FEWEST = 8
"""Vectors that few people and items may have."""


def graph_filter(matrix: sp.csr_array, settings: Graph, *, seed: int) -> ItemSpectrum:
    """The leading singular vectors of the normalised interactions, from people by items; entries below 0 are left out.

    Each vector passes by its singular value to the power `exponent`; 0 is the ideal low-pass filter of GF-CF (Shen et al.,
    CIKM 2021), 2 passes by the eigenvalues of R̃ᵀR̃. There are at most `factors` vectors, no more than leave `least_per_factor`
    people and items to each (but `FEWEST` in any case), and fewer where the rank of the matrix is lower: none without events, nor
    with a single person or item. Of more than `most_people` people, so many drawn at random are learnt from.
    """
    positive = positive_part(of_some_people(matrix, settings.most_people, seed=seed))
    people, items = (int(np.count_nonzero(np.bincount(axis))) for axis in positive.nonzero())
    most = min(settings.factors, max(FEWEST, min(people, items) // settings.least_per_factor))
    values, vectors = right_singular_vectors(balanced(positive), most, iterations=ITERATIONS, seed=seed)
    degrees = column_sums(positive)
    into = inverse_power(degrees, 0.5)
    # Products with what nobody has leave zeros, but rotations of the basis may leave rounding behind.
    vectors[degrees == 0] = 0
    return ItemSpectrum(
        vectors=vectors,
        into=into.astype(np.float32),
        out_of=np.sqrt(degrees).astype(np.float32),
        gains=(values.astype(np.float64) ** settings.exponent).astype(np.float32),
    )
