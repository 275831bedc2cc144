"""Metrics of one ranking against the set of relevant items; each is a small pure function.

`hits`: shape (q, n), bool, whether each ranked item is relevant, best first; `relevant`: shape (q,), how many relevant items
there are in all, at least one and no fewer than the hits; `k`: how many leading items count, ≥ 1. Lists shorter than k count
as if filled with irrelevant items. Every function returns shape (q,), float64, in [0, 1], and raises ValueError for arguments
of which it has no value, so that no NaN comes of a person without relevant items.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.integer]
Values = npt.NDArray[np.float64]


def recall(hits: Hits, relevant: Counts, k: int) -> Values:
    """Recall@k: relevant items among the first k over all relevant ones (van Rijsbergen 1979, chapter 7)."""
    found: Values = _first(hits, relevant, k).sum(axis=1) / relevant
    return found


def precision(hits: Hits, relevant: Counts, k: int) -> Values:
    """Precision@k: relevant items among the first k over k, even where the list is shorter (van Rijsbergen 1979, chapter 7)."""
    share: Values = _first(hits, relevant, k).sum(axis=1) / k
    return share


def hit_rate(hits: Hits, relevant: Counts, k: int) -> Values:
    """HitRate@k: 1 where any of the first k is relevant, else 0 (Deshpande and Karypis, TOIS 2004)."""
    found: Values = np.asarray(_first(hits, relevant, k).any(axis=1), dtype=np.float64)
    return found


def ndcg(hits: Hits, relevant: Counts, k: int) -> Values:
    """NDCG@k with binary gains: Σ hit_i / log2(i + 1) over the same sum of the best possible order.

    Järvelin and Kekäläinen, TOIS 2002; the ideal order holds min(k, relevant) items.
    """
    first = _first(hits, relevant, k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = first @ discounts[: first.shape[1]]
    ideal = np.concatenate([[0], np.cumsum(discounts)])[np.minimum(relevant, k)]
    values: Values = gained / ideal
    return values


def average_precision(hits: Hits, relevant: Counts, k: int) -> Values:
    """AP@k, whose mean over people is MAP@k: Σ hit_i · precision@i over the first k, divided by min(k, relevant).

    Buckley and Voorhees, SIGIR 2000, cut at k. That denominator is the most hits that k places can hold, so that the best
    list scores 1; trec_eval's `map_cut` divides by `relevant` instead and stays below 1 for whoever wants more than k items.
    """
    first = _first(hits, relevant, k)
    precisions = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    values: Values = (precisions * first).sum(axis=1) / np.minimum(relevant, k)
    return values


def reciprocal_rank(hits: Hits, relevant: Counts, k: int) -> Values:
    """RR@k, whose mean over people is MRR@k: 1 / rank of the first relevant item, 0 where none is among the first k.

    Voorhees, TREC-8 question answering track, 1999.
    """
    first = _first(hits, relevant, k)
    # A hit added after the list stands for "never", so that an empty list needs no case of its own.
    ended = np.concatenate([first, np.ones((len(first), 1), dtype=np.bool_)], axis=1)
    return np.where(first.any(axis=1), 1 / (ended.argmax(axis=1) + 1), 0.0)


def r_precision(hits: Hits, relevant: Counts) -> Values:
    """R-precision: the share of relevant items among the first R places, R being that person's own number of relevant items.

    Buckley and Voorhees, SIGIR 2000. Where the list is shorter than R the rest counts as irrelevant.
    """
    _first(hits, relevant, 1)
    within = np.arange(hits.shape[1])[None, :] < relevant[:, None]
    values: Values = (hits & within).sum(axis=1) / relevant
    return values


def auc(hits: Hits, lengths: Counts, relevant: Counts, offered: Counts) -> Values:
    """Area under the ROC curve of one impression: the share of (clicked, not clicked) pairs of which the clicked item stands higher.

    Hanley and McNeil, Radiology 1982. `hits`: the complete ranking of each query's candidates, false from place `lengths` on;
    `relevant` and `offered`: how many candidates were clicked, and how many there were, all of shape (q,). Candidates that the
    ranking left out stand below all others in no order: a pair of them counts one half, so that leaving out gains nothing.
    NaN where all or none were clicked, since there is no pair to judge; the caller leaves these out and says how many they are.
    Raises ValueError where the counts contradict each other.
    """
    ranked = np.arange(hits.shape[1])[None, :] < lengths[:, None]
    found = hits.sum(axis=1)
    if (hits & ~ranked).any() or (found > relevant).any() or (lengths > offered).any() or (relevant > offered).any():
        raise ValueError("the lengths, clicks and candidates of an impression contradict each other")
    if (lengths - found > offered - relevant).any():
        raise ValueError("more items without a click are ranked than were offered")
    missed = offered - relevant
    misses_above = np.cumsum(ranked & ~hits, axis=1)
    above = (hits * (missed[:, None] - misses_above)).sum(axis=1)
    tied = (relevant - found) * (missed - (lengths - found))
    pairs = relevant * missed
    areas = np.full(len(hits), np.nan)
    np.divide(above + tied / 2, pairs, out=areas, where=pairs > 0)
    return areas


def _first(hits: Hits, relevant: Counts, k: int) -> Hits:
    """The first k columns of `hits`, after a look at whether the arguments have a value at all."""
    if k < 1:
        raise ValueError(f"k is {k}, at least 1 is needed")
    if relevant.shape != hits.shape[:1]:
        raise ValueError(f"not the same people: {hits.shape[:1]} lists and {relevant.shape} counts of relevant items")
    if (relevant < 1).any():
        raise ValueError("nothing is relevant to somebody, of whom no metric has a value")
    if (hits.sum(axis=1) > relevant).any():
        raise ValueError("a list has more hits than there are relevant items")
    return hits[:, :k]
