"""One history as arrays: what the sources work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.event_table import event_weights
from recommender.events import EventType
from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.kernels import standing_events
from recommender.profile import BuildSettings

SEED_WEIGHT = 1.0
"""Given items (similar to / unlike) weigh the same, whatever the event weights of the generation are."""


@dataclass(frozen=True, eq=False)
class Past:
    """A history of h items out of n, oldest first; every array has shape (h,).

    An item stands once, at its newest event. `rows`: int32. `weights`: float32, not 0, negative for what speaks against an item.
    `age`: steps back from the newest event, 0 for it, float32; events of one time share a step, so that a history without order does
    not fade. `numbers`: item numbers, uint32. `types`: `EventType` of the event at which the item stands, uint8. `worked_out`: what one
    source made of the history, by source, for another that builds on it.
    """

    n: int
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    age: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.uint32]
    types: npt.NDArray[np.uint8]
    worked_out: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, query: Query, catalogue: Catalogue, settings: BuildSettings) -> Past:
        """The history of `query`, capped to the newest events, without items that the generation does not have."""
        history = query.history[-settings.history_cap :]
        if not len(history):
            return cls.empty(catalogue.n)
        if query.seeds_are_items:
            table = np.zeros(max(EventType) + 1, dtype=np.float32)
            table[EventType.LIKE], table[EventType.DISLIKE] = SEED_WEIGHT, -SEED_WEIGHT
            weights = table[history["type"]]
        else:
            weights = event_weights(history["type"], history["value"], settings.weight_table)
        rows = catalogue.rows_of(history["item"])
        places, weights, age = standing_events(rows, weights, np.ascontiguousarray(history["at"]))
        return cls(catalogue.n, rows[places], weights, age, history["item"][places], history["type"][places])

    @classmethod
    def empty(cls, n: int) -> Past:
        """A history of nothing."""
        whole, part = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        return cls(n, whole, part, part, whole.astype(np.uint32), whole.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def positive(self) -> npt.NDArray[np.bool_]:
        """Which events speak for their items."""
        return self.weights > 0

    @cached_property
    def liked(self) -> npt.NDArray[np.int32]:
        """The rows that events speak for."""
        return self.rows[self.positive]

    def decayed(self, decay: float) -> npt.NDArray[np.float32]:
        """The weights, each multiplied by `decay` for every step back."""
        return self.weights if decay == 1 else (self.weights * np.float32(decay) ** self.age).astype(np.float32)
