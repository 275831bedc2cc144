"""From catalogue, vectors and events to the contents of a generation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.counting import counts
from indexing.interactions import interaction_matrix
from indexing.learn.als import als_item_factors, confidence_of
from indexing.learn.co_occurrence import co_occurrence_weights
from indexing.learn.graph_filter import graph_filter
from indexing.learn.item_item import item_item_weights, penalty_of
from indexing.learn.popularity import first_events
from indexing.learn.sequence import sequence_model
from indexing.learn.transfer import transfer_weights
from indexing.learn.transitions import transition_weights
from indexing.pace import paced
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings
from recommender.ranking import Blend
from recommender.sources import whitened
from recommender.vectors import VectorIndex


def learn(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: npt.NDArray[np.bool_],
    events: EventTable,
    settings: BuildSettings,
    blend: Blend | None = None,
) -> Contents:
    """Fit every learner on the `events` whose consent allows training; `blend`, learnt on other events, goes with what they make."""
    allowed = events.consenting(Consent.TRAIN)
    settings = paced(allowed, catalogue, settings)
    matrix = interaction_matrix(allowed, catalogue, settings)
    collaborative = settings.collaborative
    confidence = confidence_of(matrix, collaborative)
    return Contents(
        catalogue=catalogue,
        vectors=vectors,
        has_vector=has_vector,
        factors=whitened(als_item_factors(matrix, collaborative, confidence=confidence, seed=settings.seed), collaborative.regularisation),
        confidence=confidence,
        item_item=item_item_weights(matrix, settings.item_item, penalty=penalty_of(matrix, settings.item_item), seed=settings.seed),
        transitions=transition_weights(allowed, catalogue, settings),
        co_occurrence=co_occurrence_weights(matrix, settings.co_occurrence),
        transfer=transfer_weights(catalogue, vectors, has_vector, matrix, settings.transfer),
        graph=graph_filter(matrix, settings.graph, seed=settings.seed),
        sequence=sequence_model(allowed, catalogue, settings),
        **counts(allowed, catalogue, settings)._asdict(),
        first_at=first_events(allowed, catalogue),
        blend=blend,
    )
