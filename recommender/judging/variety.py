"""What one person's list is like besides right: varied, surprising, fresh, and in the proportions of that person's taste.

`lists`: shape (q, n), int32 catalogue rows best first, -1 where a list is short; `k`: how many leading items count, ≥ 1.
Every function returns shape (q,), float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.judging.exposure import Lists, Values, means_of_known
from recommender.times import DAY_US, MISSING_TIME

STECK_ALPHA = 0.01
"""How much of the history's distribution is mixed into the list's, so that a missing category costs much but not infinitely."""


def intra_list_diversity(vectors: npt.NDArray[np.floating], present: npt.NDArray[np.bool_]) -> Values:
    """1 − mean cosine over all pairs of different items in a list, in [0, 2] (Ziegler et al., WWW 2005; Smyth and McClave 2001).

    `vectors`: shape (q, k, d), any length but 0 where `present`, shape (q, k); items without a vector are in no pair. A list
    of fewer than two vectors has no pair, and no variety either: 0.
    """
    lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
    units = np.where(present[:, :, None], vectors / np.where(lengths > 0, lengths, 1), 0).astype(np.float64)
    counts = present.sum(axis=1)
    # The square of a sum of unit vectors is every pair's cosine twice, and 1 for each vector with itself.
    cosines = (units.sum(axis=1) ** 2).sum(axis=1) - (units**2).sum(axis=(1, 2))
    pairs = counts * (counts - 1)
    mean = np.ones(len(vectors))
    np.divide(cosines, pairs, out=mean, where=pairs > 0)
    diversity: Values = np.maximum(1 - mean, 0)
    return diversity


def serendipity(hits: npt.NDArray[np.bool_], lists: Lists, expected: Lists, k: int) -> Values:
    """The share, in [0, 1], of k places that are relevant and were not to be expected (Ge et al., RecSys 2010).

    `expected`: shape (q, any), what an obvious recommender shows each person, such as the most popular items; -1 is ignored.
    """
    surprising = np.ones(lists[:, :k].shape, dtype=np.bool_)
    for place in range(expected.shape[1]):
        surprising &= lists[:, :k] != expected[:, place, None]
    share: Values = (hits[:, :k] & (lists[:, :k] >= 0) & surprising).sum(axis=1) / k
    return share


def mean_age_days(lists: Lists, published_at: npt.NDArray[np.int64], now: npt.NDArray[np.int64], k: int) -> Values:
    """Mean age in days, ≥ 0, of the dated items in each first k; NaN where none is dated.

    `published_at`: µs since 1970 of each catalogue row, `MISSING_TIME` for undated ones; `now`: each person's moment, (q,).
    What is published later than `now` counts as just published.
    """
    return means_of_known(_ages(lists, published_at, now, k))


def share_younger(lists: Lists, published_at: npt.NDArray[np.int64], now: npt.NDArray[np.int64], days: float, k: int) -> Values:
    """The share, in [0, 1], of k places that hold an item published less than `days` before `now`; undated items do not count."""
    share: Values = (_ages(lists, published_at, now, k) < days).sum(axis=1) / k
    return share


def _ages(lists: Lists, published_at: npt.NDArray[np.int64], now: npt.NDArray[np.int64], k: int) -> Values:
    """Ages in days of the first k items, shape (q, ≤ k); NaN where there is no item or no date."""
    if not len(published_at):
        return np.full(lists[:, :k].shape, np.nan)
    published = np.where(lists[:, :k] >= 0, published_at[lists[:, :k]], MISSING_TIME)
    dated = published != MISSING_TIME
    # The subtraction is of dated ones only: "no date" is so far back that an age from it would overflow.
    ages: Values = np.maximum(now[:, None] - np.where(dated, published, now[:, None]), 0) / DAY_US
    return np.where(dated, ages, np.nan)


def category_shares(rows: Lists, categories: sp.csr_array) -> Values:
    """How the categories share in each line of `rows`, shape (q, any), -1 ignored: shape (q, c), each line summing to 1 or all 0.

    `categories`: shape (items, c), each item's own categories at equal weights that sum to 1; items without any do not count.
    """
    lines, places = np.nonzero(rows >= 0)
    chosen = sp.csr_array((np.ones(len(lines)), (lines, rows[lines, places])), shape=(len(rows), categories.shape[0]))
    sums: Values = (chosen @ categories).toarray()
    total = sums.sum(axis=1, keepdims=True)
    return sums / np.where(total > 0, total, 1)


def miscalibration(chosen: Values, shown: Values, alpha: float = STECK_ALPHA) -> Values:
    """How far the categories of a list are from those of the person's history, ≥ 0, in nats; 0 is the same proportions.

    Steck, RecSys 2018: KL(p ‖ (1 − α) q + α p) with p from the history and q from the list, both of shape
    (q, c) as `category_shares` makes them. −log α where the list holds none of the history's categories; NaN where the history
    has none.
    """
    mixed = (1 - alpha) * shown + alpha * chosen
    there = chosen > 0
    parts = np.where(there, chosen * np.log(np.where(there, chosen, 1) / np.where(there, mixed, 1)), 0)
    # Rounding can leave a sum of equal shares a hair below nought.
    return np.where(there.any(axis=1), np.maximum(parts.sum(axis=1), 0), np.nan)
