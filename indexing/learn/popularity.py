"""Popularity: how much positive weight each item drew lately."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings
from recommender.times import DAY_US, MISSING_TIME

FLOOR = 1e-3
"""Share of its weight that the oldest event keeps: enough to order what nobody has touched for long, too little to outweigh today."""


def item_popularity(events: EventTable, catalogue: Catalogue, settings: BuildSettings, *, half_life_days: float) -> npt.NDArray[np.float32]:
    """Sum of positive event weights per row, halved with every `half_life_days` of age; shape (n,), float32.

    Age counts from the newest event.
    One person counts once per item and day (UTC), by the strongest event, so that reloading a page does not make it popular.
    """
    acted = events.acted()
    weights = acted.weights(settings.event_weights)
    rows = catalogue.rows_of(acted.item)
    kept = np.flatnonzero((rows >= 0) & (weights > 0))
    if not len(kept):
        return np.zeros(catalogue.n, dtype=np.float32)
    newest = int(acted.at[kept].max())
    keys = (acted.person[kept], rows[kept], acted.at[kept] // DAY_US)
    order = np.lexsort((-weights[kept], *reversed(keys)))
    first = np.ones(len(kept), dtype=np.bool_)
    first[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    kept = kept[order[first]]
    decayed = weights[kept] * decay(acted.at[kept], newest, half_life_days, floor=FLOOR)
    return np.bincount(rows[kept], weights=decayed, minlength=catalogue.n).astype(np.float32)


def first_events(events: EventTable, catalogue: Catalogue) -> npt.NDArray[np.int64]:
    """Time (µs) of each row's first event of any type, shape (n,), `MISSING_TIME` where there is none."""
    rows = catalogue.rows_of(events.item)
    first = np.full(catalogue.n, np.iinfo(np.int64).max)
    np.minimum.at(first, rows[rows >= 0], events.at[rows >= 0])
    return np.where(first == np.iinfo(np.int64).max, MISSING_TIME, first)
