"""Metrics of one ranking against the set of relevant items; each is a small pure function.

`hits`: shape (q, n), bool, whether each ranked item is relevant, best first; `relevant`: shape (q,), how many relevant items
there are in all, ≥ 1. Lists shorter than k count as if filled with irrelevant items.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.integer]
Values = npt.NDArray[np.float64]


def recall(hits: Hits, relevant: Counts, k: int) -> Values:
    """Recall@k: relevant items among the first k over all relevant ones, shape (q,), in [0, 1]."""
    found: Values = hits[:, :k].sum(axis=1) / relevant
    return found


def ndcg(hits: Hits, relevant: Counts, k: int) -> Values:
    """NDCG@k with binary gains, shape (q,), in [0, 1]: Σ hit_i / log2(i + 1) over the same sum of the best possible order.

    Järvelin and Kekäläinen, TOIS 2002; the ideal order holds min(k, relevant) items.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = hits[:, :k] @ discounts[: hits[:, :k].shape[1]]
    ideal = np.concatenate([[0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    values: Values = gained / ideal
    return values
