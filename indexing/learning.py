"""From catalogue, vectors and events to the contents of a generation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexing.beside import Beside
from indexing.counting import counting, counts
from indexing.interactions import interaction_matrix
from indexing.learn.als import confidence_of, served_factors
from indexing.learn.co_occurrence import co_occurrence_weights
from indexing.learn.graph_filter import graph_filter
from indexing.learn.item_item import item_item_weights, penalty_of
from indexing.learn.popularity import first_events
from indexing.learn.sequence import sequence_model
from indexing.learn.stories import stories
from indexing.learn.transfer import lending_of
from indexing.learn.transitions import transition_weights
from indexing.pace import paced
from indexing.progress import Part, untold
from recommender.cores import cores
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.lists import Lists
from recommender.profile import BuildSettings
from recommender.ranking import Blend
from recommender.sequence_model import SequenceModel
from recommender.vectors import VectorIndex


def learn(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: npt.NDArray[np.bool_],
    events: EventTable,
    settings: BuildSettings,
    blend: Blend | None = None,
    *,
    sequence: Beside[SequenceModel] | None = None,
    part: Part = untold,
) -> Contents:
    """Fit every learner on the `events` whose consent allows training; `blend`, learnt on other events, goes with what they make.

    `sequence`: the sequence model of these events, where its learning has begun. `part` is told of each learner.
    """
    beside = sequence_beside(events, catalogue, settings, part=part) if sequence is None else sequence
    others = all_but_sequence(catalogue, vectors, has_vector, events, settings, alone=beside.is_done, part=part)
    return replace(others, sequence=beside.result(), blend=blend)


def sequence_beside(
    events: EventTable, catalogue: Catalogue, settings: BuildSettings, *, earlier: SequenceModel | None = None, part: Part = untold
) -> Beside[SequenceModel]:
    """Begin to learn the sequence model of `events`, in a process of its own beside all else.

    `earlier`: a sequence model of some of these events alone, to start from where there are many.
    """

    def sequence() -> SequenceModel:
        with part("sequence"):
            return sequence_model(events.consenting(Consent.TRAIN), catalogue, settings, earlier=earlier)

    return Beside(sequence)


def all_but_sequence(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: npt.NDArray[np.bool_],
    events: EventTable,
    settings: BuildSettings,
    *,
    alone: bool = False,
    part: Part = untold,
) -> Contents:
    """What `learn` makes, without a blend and with a sequence model that has learnt nothing.

    Where this is done `alone`, a core that the sequence model would have learns the item–item weights.
    """
    with leaving_a_core():
        return _all_but_sequence(catalogue, vectors, has_vector, events, settings, alone=alone, part=part)


@contextmanager
def leaving_a_core() -> Iterator[None]:
    """All threads of BLAS but one while the block runs: wherever something is learnt, so that the same comes of it whatever is done beside.

    They wait for each other without letting anything else run, and where another process has one of two cores they take ten times as long
    as one thread.
    """
    with threadpool_limits(max(cores() - 1, 1), "blas"):
        yield


def _all_but_sequence(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: npt.NDArray[np.bool_],
    events: EventTable,
    settings: BuildSettings,
    *,
    alone: bool,
    part: Part,
) -> Contents:
    allowed = events.consenting(Consent.TRAIN)
    with part("half-lives"):
        settings = paced(allowed, catalogue, settings)
    with part("matrix"):
        matrix = interaction_matrix(allowed, catalogue, settings)
    confidence = confidence_of(matrix, settings.collaborative)
    with part("collaborative"):
        factors = served_factors(matrix, settings.collaborative, confidence=confidence, seed=settings.seed)

    def item_item_lists() -> Lists:
        with part("item_item"):
            penalty = penalty_of(matrix, settings.item_item)
            return Lists.of(item_item_weights(matrix, settings.item_item, penalty=penalty, seed=settings.seed))

    item_item = Beside(item_item_lists)
    if not alone:
        item_item.result()
    with part("transitions"):
        transitions = transition_weights(allowed, catalogue, settings)
    with part("co_occurrence"):
        co_occurrence = co_occurrence_weights(matrix, settings.co_occurrence)
    with part("transfer"):
        lending = lending_of(catalogue, vectors, has_vector, matrix, settings.transfer, seed=settings.seed)
    with part("near_duplicates"):
        told = stories(catalogue, vectors, has_vector, settings.near_duplicates, settings.seed)
    with part("graph"):
        spectrum = graph_filter(matrix, settings.graph, seed=settings.seed)
    with part("counts"):
        counted = counts(allowed, catalogue, settings)._asdict()
        first_at = first_events(allowed, catalogue)
    return Contents(
        catalogue=catalogue,
        vectors=vectors,
        has_vector=has_vector,
        factors=factors,
        confidence=confidence,
        item_item=item_item.result(),
        transitions=Lists.of(transitions),
        co_occurrence=Lists.of(co_occurrence),
        transfer=Lists.of(lending.weights),
        lender_worth=lending.worth,
        label_share=lending.label_share,
        graph=spectrum,
        sequence=SequenceModel.none(catalogue.n),
        **counted,
        first_at=first_at,
        counting=counting(allowed, catalogue, settings),
        stories=told,
        blend=None,
    )
