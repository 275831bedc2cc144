"""Many people's events as arrays: what learning and judging read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.events import Consent, EventType
from recommender.people import HISTORY_DTYPE, History
from recommender.profile import EventWeights

_READ, _WATCH = int(EventType.READ), int(EventType.WATCH)


@dataclass(frozen=True, eq=False)
class EventTable:
    """Events of shape (m,), sorted by person, then time, then arrival.

    `person`, `item`: permanent numbers, uint32. `type`: `EventType`, uint8. `value`: float32, the portion for read and
    watch, the event's value for other types, NaN when absent. `at`: int64 µs since 1970. `consent`: `Consent` bits, uint8.
    """

    person: npt.NDArray[np.uint32]
    item: npt.NDArray[np.uint32]
    type: npt.NDArray[np.uint8]
    value: npt.NDArray[np.float32]
    at: npt.NDArray[np.int64]
    consent: npt.NDArray[np.uint8]

    @classmethod
    def sorted(
        cls,
        person: npt.NDArray[np.uint32],
        item: npt.NDArray[np.uint32],
        type: npt.NDArray[np.uint8],
        value: npt.NDArray[np.float32],
        at: npt.NDArray[np.int64],
        consent: npt.NDArray[np.uint8],
        sequence: npt.NDArray[np.int64],
    ) -> EventTable:
        """The table of these columns, each of shape (m,), in any order; `sequence` is the order of arrival."""
        order = np.lexsort((sequence, at, person))
        return cls(person[order], item[order], type[order], value[order], at[order], consent[order])

    def __len__(self) -> int:
        return len(self.person)

    def where(self, mask: npt.NDArray[np.bool_]) -> EventTable:
        """The events at which `mask`, shape (m,), is true."""
        if mask.all():
            return self
        return EventTable(self.person[mask], self.item[mask], self.type[mask], self.value[mask], self.at[mask], self.consent[mask])

    def before(self, moment: int) -> EventTable:
        """The events with a time below `moment` (µs)."""
        return self.where(self.at < moment)

    def consenting(self, consent: Consent) -> EventTable:
        """The events that allow all of `consent`."""
        return self.where((self.consent & consent) == consent)

    def acted(self) -> EventTable:
        """The events without impressions."""
        return self.where(self.type != EventType.IMPRESSION)

    def weights(self, weights: EventWeights) -> npt.NDArray[np.float32]:
        """What each event says about taste, shape (m,), float32."""
        return event_weights(self.type, self.value, weights.table())

    def by_person(self) -> dict[int, History]:
        """Every person's events as a history, oldest first, by person number."""
        if not len(self):
            return {}
        records = np.empty(len(self), dtype=HISTORY_DTYPE)
        records["item"], records["type"], records["value"], records["at"] = self.item, self.type, self.value, self.at
        starts = np.flatnonzero(np.append(True, self.person[1:] != self.person[:-1]))
        return {int(self.person[s]): part for s, part in zip(starts, np.split(records, starts[1:]), strict=True)}


def event_weights(types: npt.NDArray[np.uint8], values: npt.NDArray[np.float32], table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Weight of each event, shape (m,): its type's weight, times the portion for reads and watches that carry one.

    `values`: as in `EventTable` and in histories, so that for reads and watches it is the portion, in [0, 1], or NaN.
    """
    return weights_of(np.ascontiguousarray(types), np.ascontiguousarray(values), table)


@compiled
def weights_of(types: npt.NDArray[np.uint8], values: npt.NDArray[np.float32], table: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same for arrays that lie in one piece."""
    weights = np.empty(len(types), dtype=np.float32)
    for place in range(len(types)):
        weights[place] = weight_of(types[place], values[place], table)
    return weights


@compiled
def weight_of(type: np.uint8, value: np.float32, table: npt.NDArray[np.float32]) -> np.float32:
    """The weight of one event."""
    weight: np.float32 = table[type]
    return weight * value if type in (_READ, _WATCH) and not np.isnan(value) else weight
