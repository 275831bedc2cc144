"""Groups of like items by which the chances of a sequence model are summed up, at a cost that does not grow with the catalogue."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

GROUPS = 1_024
"""Up to so many items each is a group of its own."""
ITERATIONS = 12
"""Rounds of k-means."""


def item_groups(items: Floats, bias: Floats, *, seed: int) -> tuple[Floats, Floats, Floats]:
    """Centres and spreads, shape (k, d), and masses, shape (k,), of groups of `items`, shape (m, d): see `SequenceModel`.

    Groups are found by k-means; within one an item counts as often as the exponential of its `bias`, shape (m,), says.
    """
    m, d = items.shape
    if m <= GROUPS:
        return items, np.zeros_like(items), bias
    found = faiss.Kmeans(d, GROUPS, niter=ITERATIONS, seed=seed + 1, min_points_per_centroid=1, max_points_per_centroid=256)
    found.train(np.ascontiguousarray(items))
    _, group = found.index.search(np.ascontiguousarray(items), 1)
    group = np.unique(group[:, 0], return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    highest = np.maximum.reduceat(bias[order], starts)
    counts = np.exp(bias - highest[group]).astype(np.float64)
    totals = np.bincount(group, weights=counts)
    centres = np.add.reduceat(items[order] * counts[order, None], starts) / totals[:, None]
    apart = items - centres[group]
    spreads = np.add.reduceat((apart * apart)[order] * counts[order, None], starts) / totals[:, None]
    masses = highest + np.log(totals)
    return centres.astype(np.float32), spreads.astype(np.float32), masses.astype(np.float32)
