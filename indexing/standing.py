"""How people's items stand: each once for each person, at its newest event, as in a served history."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.event_table import EventTable, weight_of
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings

_SHOWN = int(EventType.IMPRESSION)

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]
Types = npt.NDArray[np.uint8]


class Standing(NamedTuple):
    """The m different items of people, in order of person and of the time at which they stand; all of shape (m,).

    `person`: 0 and up, int32. `item`: rows, int32. `weight`: the strongest that any of the person's events with the item has, unless the
    newest one's is negative, which then stands (someone who disliked it in the end dislikes it); never 0. `at`: µs.
    """

    person: Rows
    item: Rows
    weight: Floats
    at: Times

    @classmethod
    def of(cls, events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> Standing:
        """Without impressions and all but the newest other events of each person (`person_limit`), and of these without what weighs
        nothing and items that the catalogue lacks. Events of equal time stand in the order of their arrival."""
        told = (events.person, events.item, events.type, events.value, events.at)
        return cls(*_standing(*told, catalogue.row_of_number, settings.event_weights.table(), settings.person_limit, catalogue.n))

    @property
    def ordered(self) -> bool:
        """Whether anybody did one thing after another."""
        return in_order(self.person, self.at)

    def where(self, mask: npt.NDArray[np.bool_]) -> Standing:
        """What stands at the places at which `mask`, shape (m,), is true."""
        return self if mask.all() else Standing(self.person[mask], self.item[mask], self.weight[mask], self.at[mask])


def in_order(person: Rows, at: Times) -> bool:
    """Whether any of the people, shape (m,), has two different times, one after the other."""
    return bool(((person[1:] == person[:-1]) & (at[1:] != at[:-1])).any())


@compiled
def _standing(
    person: Numbers,
    item: Numbers,
    types: Types,
    values: Floats,
    at: Times,
    row_of_number: Rows,
    table: Floats,
    most: int,
    n: int,
) -> tuple[Rows, Rows, Floats, Times]:
    """See `Standing.of`; events in order of person and time."""
    people, rows = np.empty(len(person), dtype=np.int32), np.empty(len(person), dtype=np.int32)
    weights, times = np.empty(len(person), dtype=np.float32), np.empty(len(person), dtype=np.int64)
    # Where an item stands for the person who had it last. It may be somebody else's.
    place_of = np.zeros(n, dtype=np.int64)
    count, numbered, start = 0, 0, 0
    while start < len(person):
        stop = start + 1
        while stop < len(person) and person[stop] == person[start]:
            stop += 1
        first, looked_at, place = count, 0, stop - 1
        while place >= start and looked_at < most:
            if types[place] != _SHOWN:
                looked_at += 1
                row = row_of_number[min(item[place], len(row_of_number) - 1)]
                weight = weight_of(types[place], values[place], table)
                if row >= 0 and weight != 0:
                    known = place_of[row]
                    if first <= known < count and rows[known] == row:
                        if weights[known] >= 0 and weight > weights[known]:
                            weights[known] = weight
                    else:
                        place_of[row] = count
                        people[count], rows[count], weights[count], times[count] = numbered, row, weight, at[place]
                        count += 1
            place -= 1
        # From the newest to the oldest so far.
        rows[first:count] = rows[first:count][::-1].copy()
        weights[first:count] = weights[first:count][::-1].copy()
        times[first:count] = times[first:count][::-1].copy()
        numbered += int(count > first)
        start = stop
    return people[:count].copy(), rows[:count].copy(), weights[:count].copy(), times[:count].copy()
