"""Response: how often items are taken up when they are shown, which popularity, rising with every show, does not tell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings


def item_response(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> npt.NDArray[np.float32]:
    """(taken + prior) / (rate · shown + prior) per row, shape (n,), float32: 1 as usual, 2 twice as often, 0 for what was never shown.

    `taken`: events of positive weight; `shown`: impressions; both counted one by one, of items that were shown at all, and halved with
    every `half_life_hours` before the newest of these events. `rate`: taken over shown of all such items. The prior pulls what was shown
    little towards 1, as in the gamma-Poisson shrinker (DuMouchel, The American Statistician 1999). All 0 where nothing that was shown
    was ever taken up: then nothing tells items apart.
    """
    how = settings.response
    rows = catalogue.rows_of(events.item)
    is_show = (events.type == EventType.IMPRESSION) & (rows >= 0)
    ever_shown = np.bincount(rows[is_show], minlength=catalogue.n) > 0
    is_take = (events.type != EventType.IMPRESSION) & (events.weights(settings.event_weights) > 0) & (rows >= 0)
    is_take[is_take] = ever_shown[rows[is_take]]
    if not is_take.any():
        return np.zeros(catalogue.n, dtype=np.float32)
    newest = int(events.at[is_show | is_take].max())
    shown, taken = (
        np.bincount(rows[which], weights=decay(events.at[which], newest, how.half_life_hours / 24, floor=0.0), minlength=catalogue.n)
        for which in (is_show, is_take)
    )
    # What faded beyond what a number can hold is as good as not there.
    rate = taken.sum() / max(float(shown.sum()), np.finfo(np.float64).tiny)
    response = (taken + how.prior) / (rate * shown + how.prior)
    return np.where(ever_shown, response, 0).astype(np.float32)
