"""Contents of other settings, where only what the settings change is learnt anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from indexing.counting import counting, counts
from indexing.interactions import interaction_matrix
from indexing.learn.als import confidence_of, served_factors
from indexing.learn.co_occurrence import co_occurrence_weights
from indexing.learn.graph_filter import graph_filter
from indexing.learn.item_item import item_item_weights, penalty_of
from indexing.learn.sequence import sequence_model
from indexing.learn.transfer import lending_of
from indexing.learn.transitions import transition_weights
from indexing.learning import learn, leaving_a_core
from indexing.pace import paced
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.lists import Lists
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

FOR_ALL = ("event_weights", "half_life_days", "person_limit", "seed")
"""Settings that every learner goes by."""
SERVED = {"history_decay", "own_share"}
"""Settings of a learner that change no fit, only how a feed is made of it."""


@dataclass(frozen=True, eq=False)
class Learning:
    """What is learnt from: n items, their vectors, and events, of which only those that allow training count."""

    catalogue: Catalogue
    vectors: VectorIndex
    has_vector: npt.NDArray[np.bool_]
    events: EventTable

    def contents(self, settings: BuildSettings) -> Contents:
        """Everything learnt with `settings`, without a blend."""
        return learn(self.catalogue, self.vectors, self.has_vector, self.events, settings)

    def refitted(self, contents: Contents, learner: str, settings: BuildSettings) -> Contents:
        """`contents` with one of `LEARNERS` fitted anew."""
        with leaving_a_core():
            return LEARNERS[learner](self, contents, settings)

    def brought(self, contents: Contents, learnt_with: BuildSettings, settings: BuildSettings) -> Contents:
        """What `contents(settings)` would be, from contents `learnt_with` others; the blend stays. Fits only what differs."""
        allowed = self.events.consenting(Consent.TRAIN)
        # What is read off the data may differ where nothing was set to differ.
        learnt_with, settings = (paced(allowed, self.catalogue, one) for one in (learnt_with, settings))
        if any(getattr(learnt_with, name) != getattr(settings, name) for name in FOR_ALL):
            return replace(self.contents(settings), blend=contents.blend)
        for name in LEARNERS:
            if changes_fit(name, learnt_with, settings):
                contents = self.refitted(contents, name, settings)
        return contents


def changes_fit(learner: str, one: BuildSettings, other: BuildSettings) -> bool:
    """Whether the settings of a learner differ in what it is fitted with."""
    first, second = (getattr(settings, learner).model_dump(exclude=SERVED) for settings in (one, other))
    return bool(first != second)


def _item_item(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    matrix = interaction_matrix(learning.events.consenting(Consent.TRAIN), learning.catalogue, settings)
    penalty = penalty_of(matrix, settings.item_item)
    return replace(contents, item_item=Lists.of(item_item_weights(matrix, settings.item_item, penalty=penalty, seed=settings.seed)))


def _collaborative(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    matrix = interaction_matrix(learning.events.consenting(Consent.TRAIN), learning.catalogue, settings)
    confidence = confidence_of(matrix, settings.collaborative)
    factors = served_factors(matrix, settings.collaborative, confidence=confidence, seed=settings.seed)
    return replace(contents, factors=factors, confidence=confidence)


def _co_occurrence(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    matrix = interaction_matrix(learning.events.consenting(Consent.TRAIN), learning.catalogue, settings)
    return replace(contents, co_occurrence=Lists.of(co_occurrence_weights(matrix, settings.co_occurrence)))


def _transitions(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    events = learning.events.consenting(Consent.TRAIN)
    return replace(contents, transitions=Lists.of(transition_weights(events, learning.catalogue, settings)))


def _graph(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    matrix = interaction_matrix(learning.events.consenting(Consent.TRAIN), learning.catalogue, settings)
    return replace(contents, graph=graph_filter(matrix, settings.graph, seed=settings.seed))


def _sequence(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    events = learning.events.consenting(Consent.TRAIN)
    return replace(contents, sequence=sequence_model(events, learning.catalogue, settings))


def _transfer(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    matrix = interaction_matrix(learning.events.consenting(Consent.TRAIN), learning.catalogue, settings)
    lending = lending_of(learning.catalogue, learning.vectors, learning.has_vector, matrix, settings.transfer, seed=settings.seed)
    return replace(contents, transfer=Lists.of(lending.weights), lender_worth=lending.worth, label_share=lending.label_share)


def _popularity(learning: Learning, contents: Contents, settings: BuildSettings) -> Contents:
    taken = counts(learning.events, learning.catalogue, settings)
    how = counting(learning.events, learning.catalogue, settings)
    return replace(contents, popularity=taken.popularity, recent_popularity=taken.recent_popularity, counting=how)


LEARNERS: Mapping[str, Callable[[Learning, Contents, BuildSettings], Contents]] = {
    "item_item": _item_item,
    "collaborative": _collaborative,
    "co_occurrence": _co_occurrence,
    "transitions": _transitions,
    "graph": _graph,
    "sequence": _sequence,
    "transfer": _transfer,
    "popularity": _popularity,
}
"""By the section of the build settings that each is fitted with."""
