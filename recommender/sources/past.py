"""One history as arrays: what the sources work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.event_table import weights_of
from recommender.events import EventType
from recommender.feeds import Query
from recommender.profile import BuildSettings

SEED_WEIGHT = 1.0
"""Given items (similar to / unlike) weigh the same, whatever the event weights of the generation are."""

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.uint32]
Types = npt.NDArray[np.uint8]
Times = npt.NDArray[np.int64]


class RowsByNumber(Protocol):
    """Knows n items by their numbers, as a catalogue does."""

    n: int

    def rows_of(self, numbers: npt.ArrayLike) -> Rows:
        """Rows of item `numbers`, the same shape, int32; -1 for numbers that it does not know."""
        ...


_OF_SEEDS: Floats = np.zeros(max(EventType) + 1, dtype=np.float32)
_OF_SEEDS[[EventType.LIKE, EventType.DISLIKE]] = SEED_WEIGHT, -SEED_WEIGHT


@dataclass(frozen=True, eq=False)
class Past:
    """A history of h items out of n, oldest first; every array has shape (h,).

    An item stands once, at its newest event. `rows`: int32. `weights`: float32, not 0, negative for what speaks against an item.
    `age`: steps back from the newest event, 0 for it, float32; events of one time share a step, so that a history without order does
    not fade. `numbers`: item numbers, uint32. `types`: `EventType` of the event at which the item stands, uint8. `worked_out`: what
    sources made of the history, by what made it, for others that build on it and for the next query of the same history.
    """

    n: int
    rows: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    age: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.uint32]
    types: npt.NDArray[np.uint8]
    worked_out: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, query: Query, catalogue: RowsByNumber, settings: BuildSettings) -> Past:
        """The history of `query`, capped to the newest events, without items that the generation does not have."""
        history = query.history[-settings.history_cap :]
        if not len(history):
            return cls.empty(catalogue.n)
        table = _OF_SEEDS if query.seeds_are_items else settings.weight_table
        # Copied in any case: a column of a single event is in one piece already, and may be read-only where others are not.
        items, types, values, at = (history[name].copy() for name in ("item", "type", "value", "at"))
        return cls(catalogue.n, *_standing(catalogue.rows_of(items), types, values, at, items, table))

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

    @cached_property
    def _highest(self) -> int:
        """The highest row, -1 for none."""
        return int(_highest_of(self.rows))

    def within(self, n: int) -> tuple[Past, Rows | None]:
        """What a generation of `n` items knows of a history that may hold newer ones, and the places of that in the whole, int32; None
        where it knows all."""
        if self._highest < n:
            return self, None
        made = self.worked_out.get(n)
        if made is None:
            kept = self.rows < n
            part = Past(n, self.rows[kept], self.weights[kept], self.age[kept], self.numbers[kept], self.types[kept])
            made = self.worked_out[n] = part, np.flatnonzero(kept).astype(np.int32)
        return cast(tuple[Past, Rows], made)

    def decayed(self, decay: float) -> npt.NDArray[np.float32]:
        """The weights, each multiplied by `decay` for every step back."""
        return self.weights if decay == 1 else _decayed(self.weights, self.age, np.float32(decay))


@compiled
def standing_events(rows: Rows, weights: Floats, at: Times) -> tuple[Rows, Floats, Floats]:
    """The event at which each item of a history stands, from h events in order of time: their places, ascending, weights and steps back.

    Events of row below 0 or weight 0 do not count. An item stands at its newest event, with the largest weight that any of its events has
    unless the newest one's is negative. Steps back are how many different later times there are among what stands, float32.
    """
    places, strongest = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.float32)
    count = 0
    for place in range(len(rows) - 1, -1, -1):
        if rows[place] < 0 or weights[place] == 0:
            continue
        newer = 0
        while newer < count and rows[places[newer]] != rows[place]:
            newer += 1
        if newer == count:
            places[count], strongest[count] = place, weights[place]
            count += 1
        elif weights[places[newer]] >= 0 and weights[place] > strongest[newer]:
            strongest[newer] = weights[place]
    back = np.empty(count, dtype=np.float32)
    step = np.float32(0)
    for newer in range(count):
        if newer and at[places[newer]] != at[places[newer - 1]]:
            step += np.float32(1)
        back[newer] = step
    return places[:count][::-1].copy(), strongest[:count][::-1].copy(), back[::-1].copy()


@compiled
def _standing(
    rows: Rows, types: Types, values: Floats, at: Times, numbers: Numbers, table: Floats
) -> tuple[Rows, Floats, Floats, Numbers, Types]:
    """The fields of a `Past` from `rows` to `types`, of events by their columns; `table`: the weight of each type."""
    places, weights, back = standing_events(rows, weights_of(types, values, table), at)
    return rows[places], weights, back, numbers[places], types[places]


@compiled
def _highest_of(rows: Rows) -> np.int32:
    highest = np.int32(-1)
    for row in rows:
        highest = max(highest, row)
    return highest


@compiled
def _decayed(weights: Floats, age: Floats, decay: np.float32) -> Floats:
    made = np.empty_like(weights)
    for place in range(len(weights)):
        made[place] = weights[place] * decay ** age[place]
    return made
