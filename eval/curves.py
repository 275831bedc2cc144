"""Metrics as curves over the length of the list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.judging import Judgement

CURVES = ("recall", "ndcg", "precision")


def curves_of(judgement: Judgement) -> dict[str, npt.NDArray[np.float64]]:
    """Mean over everybody of each of `CURVES` at k = 1 … 100, shape (100,) each; the same as the metrics of that name at each k."""
    hits, relevant = judgement.hits.astype(np.float64), judgement.relevant
    k = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1)
    discounts = 1 / np.log2(k + 1)
    ideal = np.cumsum(discounts)[np.minimum(relevant[:, None], k) - 1]
    return {
        "recall": (found / relevant[:, None]).mean(axis=0),
        "ndcg": (np.cumsum(hits * discounts, axis=1) / ideal).mean(axis=0),
        "precision": found.mean(axis=0) / k,
    }
