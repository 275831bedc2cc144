"""Normalised co-occurrence: how many people two items share, over the degrees of the people and of both items.

With a person exponent of 1, a source exponent of 1 and a target exponent of 0 it is the linear part of GF-CF (Shen et al.,
"How Powerful is Graph Convolution for Recommendation?", CIKM 2021): r D_I^-½ R̃ᵀR̃ D_I^½ with R̃ = D_U^-½ R D_I^-½.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.interactions import of_learnt, positive_part
from indexing.learn.degrees import column_sums, inverse_power, row_sums, scaled
from indexing.learn.strongest import FAN, among_all, strongest_per_row
from indexing.learn.sums import strongest_product
from recommender.profile import CoOccurrence


def co_occurrence_weights(matrix: sp.csr_array, settings: CoOccurrence) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32, from people by items (entries below 0 are left out); diagonal zero.

    Row j says what one unit of weight on item j adds to the score of each other item i: Σ over people u of
    x_uj · x_ui / d_u^person, over d_j^source · d_i^target, where d is a sum of weights. Each item keeps the `neighbours`
    items that it says most for, and is itself spoken for by at most `FAN` times as many.
    """
    n = matrix.shape[1]
    active, learnt = of_learnt(positive_part(matrix))
    if not len(learnt):
        return sp.csr_array((n, n), dtype=np.float32)
    people, items = row_sums(active), column_sums(active)
    said = scaled(active, inverse_power(people, settings.person_exponent), inverse_power(items, settings.target_exponent))
    saying = scaled(sp.csr_array(active.T), inverse_power(items, settings.source_exponent))
    by_source = strongest_product(saying, said, settings.neighbours, own=False)
    by_target = strongest_per_row(sp.csr_array(by_source.T), FAN * settings.neighbours)
    return among_all(sp.csr_array(by_target.T), learnt, n)
