"""Linear item–item weights: ridge regressions of every item on others, on all of them where the catalogue allows it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from indexing.interactions import of_learnt, positive_part, rarity
from indexing.learn.blocks import CHUNK_CELLS
from indexing.learn.degrees import column_sums, inverse_power, row_sums, scaled
from indexing.learn.local_ridge import local_ridge
from indexing.learn.ridge import dense_ridge
from indexing.learn.strongest import FAN, among_all, strongest_per_row
from recommender.profile import ItemItem


def penalty_of(matrix: sp.csr_array, settings: ItemItem) -> float:
    """Ridge penalty λ of people by items: that of the settings over their rarity.

    Of a dense matrix, in which everything goes with everything, more has to be held against chance. The published optima of EASE on
    Netflix, MovieLens-20M and the Million Songs (1,000, 500 and 200: Steck, WWW 2019) fall with the density in much the same way.
    """
    return settings.regularisation / rarity(matrix)


def item_item_weights(matrix: sp.csr_array, settings: ItemItem, *, penalty: float, seed: int, cells: int = CHUNK_CELLS) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32, from people by items (entries below 0 are left out); diagonal zero.

    Row j says what one unit of weight on item j adds to the score of each other item. Each item keeps the `neighbours` items
    that it says most for, and is itself spoken for by at most `FAN` times as many.

    People's rows are divided by (sum of weights) ** `degree_exponent` first, so that heavy consumers do not decide alone, and the
    penalty of each item grows with its degree to twice the `item_exponent`, so that popular items explain no more than they do.
    `penalty`, λ, is for counts of people; the scaling shrinks the Gram matrix, so λ shrinks with its mean diagonal. Up to `dense_limit`
    items with events, 4 bytes are taken for every pair of them; above, `seed` draws the blocks of like items. Intermediate
    results have at most `cells` entries. Raises `InvalidInput` where λ is too small for a solution.
    """
    n = matrix.shape[1]
    active, learnt = of_learnt(positive_part(matrix))
    if len(learnt) < 2:
        return sp.csr_array((n, n), dtype=np.float32)
    # A ridge whose penalty grows with an item's degree is the plain one between columns that were divided by a power of it.
    shares = inverse_power(column_sums(active), settings.item_exponent)
    divided = scaled(scaled(active, inverse_power(row_sums(active), settings.degree_exponent)), by_column=shares)
    penalty *= float(divided.power(2).sum()) / float(active.power(2).sum())
    inputs = FAN * settings.neighbours
    if len(learnt) <= settings.dense_limit:
        by_source = dense_ridge(divided, penalty, inputs, cells=cells)
    else:
        by_source = local_ridge(divided, penalty, inputs, reach=settings.reach, seed=seed)
    return among_all(strongest_per_row(scaled(by_source, shares, 1 / shares), settings.neighbours), learnt, n)
