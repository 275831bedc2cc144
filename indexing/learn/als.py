"""Item factors by implicit-feedback ALS (Hu, Koren, Volinsky, ICDM 2008), trained with the `implicit` package."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from indexing.interactions import of_some_people, rarity
from recommender.profile import Collaborative
from recommender.sources import whitened


def confidence_of(matrix: sp.csr_array, settings: Collaborative) -> float:
    """Confidence that one unit of weight adds: alpha over the square root of the share of pairs that have an entry.

    With one alpha for all data, what nobody took up outweighs what people did take up on a large catalogue, and the other way
    round on a small one; the balance of both grows with the root of the density over the range from films to shops.
    """
    return settings.alpha * rarity(matrix)


def als_item_factors(
    matrix: sp.csr_array, settings: Collaborative, *, confidence: float, seed: int, threads: int = 0
) -> npt.NDArray[np.float32]:
    """Item factors, shape (n, factors), float32, from people by items; zeros for items that nobody has.

    `confidence`: what one unit of weight adds to that of a pair, as `confidence_of` gives it. Negative entries count as confidence
    in "not liked". The same matrix, settings and seed give the same bytes, on any number of `threads`, 0 for one for each core.
    """
    n = matrix.shape[1]
    if matrix.nnz == 0:
        return np.zeros((n, settings.factors), dtype=np.float32)
    # Imported here because it takes seconds, and most of indexing does without.
    from implicit.als import AlternatingLeastSquares

    # implicit runs threads of its own; those of BLAS would fight them.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=settings.factors,
            regularization=settings.regularisation,
            alpha=confidence,
            iterations=settings.iterations,
            random_state=seed,
            num_threads=threads,
            use_gpu=False,
        )
        model.fit(sp.csr_matrix(matrix), show_progress=False)
    factors = np.array(model.item_factors, dtype=np.float32)
    factors[np.bincount(matrix.indices, minlength=n) == 0] = 0
    return factors


def served_factors(matrix: sp.csr_array, settings: Collaborative, *, confidence: float, seed: int) -> npt.NDArray[np.float32]:
    """The factors as they are served, `whitened`, shape (n, factors), learnt from at the most `most_people` of a matrix's people."""
    some = of_some_people(matrix, settings.most_people, seed=seed)
    return whitened(als_item_factors(some, settings, confidence=confidence, seed=seed), settings.regularisation)
