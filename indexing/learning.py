"""From catalogue, vectors and events to the contents of a generation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.interactions import interaction_matrix
from indexing.learn.als import als_item_factors
from indexing.learn.item_item import item_item_weights
from indexing.learn.popularity import item_popularity
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex


def learn(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: npt.NDArray[np.bool_],
    events: EventTable,
    settings: BuildSettings,
) -> Contents:
    """Fit every learner on the `events` whose consent allows training."""
    allowed = events.consenting(Consent.TRAIN)
    matrix = interaction_matrix(allowed, catalogue, settings)
    return Contents(
        catalogue=catalogue,
        vectors=vectors,
        has_vector=has_vector,
        factors=als_item_factors(matrix, settings.collaborative, seed=settings.seed),
        item_item=item_item_weights(matrix, settings.item_item),
        popularity=item_popularity(allowed, catalogue, settings),
    )
