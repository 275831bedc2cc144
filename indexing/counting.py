"""Counts: what of a generation changes within minutes, and is cheap enough to be counted anew between builds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexing.learn.popularity import item_popularity
from indexing.learn.response import item_response
from indexing.pace import paced
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation.catalogue import Catalogue
from recommender.generation.contents import not_counted
from recommender.profile import BuildSettings

Floats = npt.NDArray[np.float32]


class Counts(NamedTuple):
    """Each of shape (n,), float32, ≥ 0, by row of the catalogue; in the order in which `Recommender.with_counts` takes them."""

    popularity: Floats
    recent_popularity: Floats
    response: Floats


def counts(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> Counts:
    """The counts as of the newest of `events`, of those whose consent allows training."""
    allowed = events.consenting(Consent.TRAIN)
    days = paced(allowed, catalogue, settings).popularity
    assert days.half_life_days is not None
    assert days.recent_half_life_days is not None
    return Counts(
        popularity=item_popularity(allowed, catalogue, settings, half_life_days=days.half_life_days),
        recent_popularity=item_popularity(allowed, catalogue, settings, half_life_days=days.recent_half_life_days),
        response=item_response(allowed, catalogue, settings),
    )


def counting(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> npt.NDArray[np.float64]:
    """How `counts` counted and as of when, as `Contents.counting` keeps it."""
    allowed = events.consenting(Consent.TRAIN)
    if not len(allowed):
        return not_counted()
    days = paced(allowed, catalogue, settings).popularity
    return np.array([days.half_life_days, days.recent_half_life_days, allowed.at.max()], dtype=np.float64)
