"""Many histories as flat arrays: what the sources work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.event_table import event_weights, strongest_per_key
from recommender.events import EventType
from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.people import History, empty_history
from recommender.profile import BuildSettings

SEED_WEIGHT = 1.0
"""Given items (similar to / unlike) weigh the same, whatever the event weights of the generation are."""


@dataclass(frozen=True, eq=False)
class Batch:
    """b histories over n items; history q is the slice `offsets[q]:offsets[q + 1]` of the flat arrays, oldest first.

    An item stands once per history, at its newest event. `rows`: int32. `weights`: float32, not 0, negative for what speaks
    against an item. `age`: steps back from the history's newest event, 0 for it, float32; events of one
    time share a step, so that a history without order does not fade. `numbers`: item numbers, uint32.
    `types`: `EventType` of the event at which the item stands, uint8.
    """

    n: int
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    age: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.uint32]
    types: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, queries: Sequence[Query], catalogue: Catalogue, settings: BuildSettings) -> Batch:
        """The histories of `queries`, capped to the newest events, without items that the generation does not have."""
        table = settings.event_weights.table()
        seeds = np.zeros_like(table)
        seeds[EventType.LIKE], seeds[EventType.DISLIKE] = SEED_WEIGHT, -SEED_WEIGHT
        histories = [query.history[-settings.history_cap :] for query in queries]
        lengths = np.array([len(history) for history in histories], dtype=np.int64)
        flat: History = np.concatenate([empty_history(), *histories])
        if lengths.sum() == 0:
            return cls.empty(len(queries), catalogue.n)
        owner = np.repeat(np.arange(len(queries), dtype=np.int64), lengths)
        given = np.array([query.seeds_are_items for query in queries], dtype=np.bool_)[owner]
        weights = event_weights(flat["type"], flat["value"], table)
        if given.any():
            weights = np.where(given, seeds[flat["type"]], weights)
        rows = catalogue.rows_of(flat["item"])
        kept = np.flatnonzero((rows >= 0) & (weights != 0))
        places, weights = strongest_per_key(owner[kept] * catalogue.n + rows[kept], weights[kept])
        places = kept[places]
        owner, rows = owner[places], rows[places]
        counts = np.bincount(owner, minlength=len(queries))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        age = _steps_back(owner, flat["at"][places], offsets)
        return cls(catalogue.n, offsets, rows, weights, age, flat["item"][places], flat["type"][places])

    @classmethod
    def empty(cls, size: int, n: int) -> Batch:
        """A batch of `size` empty histories."""
        return cls(
            n,
            np.zeros(size + 1, dtype=np.int64),
            np.zeros(0, dtype=np.int32),
            np.zeros(0, dtype=np.float32),
            np.zeros(0, dtype=np.float32),
            np.zeros(0, dtype=np.uint32),
            np.zeros(0, dtype=np.uint8),
        )

    @property
    def size(self) -> int:
        """Number b of histories."""
        return len(self.offsets) - 1

    @property
    def positive(self) -> npt.NDArray[np.bool_]:
        """Which events speak for their items, a flat array."""
        return self.weights > 0

    def counts(self, marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many of each history's events are `marked` (a flat array), shape (b,)."""
        return np.diff(np.concatenate([[0], np.cumsum(marked)])[self.offsets])

    def decayed(self, decay: float) -> npt.NDArray[np.float32]:
        """The weights, each multiplied by `decay` for every step back."""
        return self.weights if decay == 1 else (self.weights * np.float32(decay) ** self.age).astype(np.float32)

    def matrix(self, weights: npt.NDArray[np.float32]) -> sp.csr_array:
        """The histories as a sparse (b, n) matrix of `weights`."""
        # With int64 offsets scipy would convert all indices of the other factor of a product, too.
        return sp.csr_array((weights, self.rows, self.offsets.astype(np.int32)), shape=(self.size, self.n))

    def part(self, query: int) -> slice:
        """Where history `query` lies in the flat arrays."""
        return slice(int(self.offsets[query]), int(self.offsets[query + 1]))


def _steps_back(owner: npt.NDArray[np.int64], at: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """How many different later times each event's history holds, from events in order of owner and time; float32."""
    if not len(at):
        return np.zeros(0, dtype=np.float32)
    later = np.ones(len(at), dtype=np.int64)
    later[1:] = (owner[1:] != owner[:-1]) | (at[1:] != at[:-1])
    step = np.cumsum(later)
    newest = step[np.maximum(offsets[1:] - 1, 0)]
    return (newest[owner] - step).astype(np.float32)
