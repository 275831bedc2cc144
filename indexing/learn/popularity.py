"""Popularity: how much positive weight each item drew lately."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from recommender.compiling import compiled
from recommender.event_table import EventTable, weight_of
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.live_counts import FLOOR
from recommender.profile import BuildSettings
from recommender.times import DAY_US, MISSING_TIME

Numbers = npt.NDArray[np.uint32]
Types = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]

_SHOWN = int(EventType.IMPRESSION)


def item_popularity(events: EventTable, catalogue: Catalogue, settings: BuildSettings, *, half_life_days: float) -> npt.NDArray[np.float32]:
    """Sum of positive event weights per row, halved with every `half_life_days` of age; shape (n,), float32.

    Age counts from the newest event.
    One person counts once per item and day (UTC), by the strongest event, so that reloading a page does not make it popular.
    """
    told = (events.person, events.item, events.type, events.value, events.at)
    rows, weights, at, newest = _strongest_of_days(*told, catalogue.row_of_number, settings.event_weights.table(), catalogue.n)
    if not len(rows):
        return np.zeros(catalogue.n, dtype=np.float32)
    factors = decay(at, int(newest), half_life_days, floor=FLOOR)
    factors *= weights
    return np.bincount(rows, weights=factors, minlength=catalogue.n).astype(np.float32)


def first_events(events: EventTable, catalogue: Catalogue) -> npt.NDArray[np.int64]:
    """Time (µs) of each row's first event of any type, shape (n,), `MISSING_TIME` where there is none."""
    return _first_times(events.item, events.at, catalogue.row_of_number, catalogue.n)


@compiled
def _strongest_of_days(
    person: Numbers, item: Numbers, types: Types, values: Floats, at: Times, row_of_number: Rows, table: Floats, n: int
) -> tuple[Rows, Floats, Times, np.int64]:
    """Row, weight and time of the strongest event of each person with each item on each day, the first of equal ones, of those that speak
    for an item that is there; from events in order of person and time. And the time of the newest of all that speak for one."""
    rows, weights = np.empty(len(person), dtype=np.int32), np.empty(len(person), dtype=np.float32)
    times = np.empty(len(person), dtype=np.int64)
    # Where an item stands for whoever had it last, on whatever day.
    place_of = np.zeros(n, dtype=np.int64)
    count, first, newest = 0, 0, np.int64(0)
    for place in range(len(person)):
        if place and (person[place] != person[place - 1] or at[place] // DAY_US != at[place - 1] // DAY_US):
            first = count
        row = row_of_number[min(item[place], len(row_of_number) - 1)]
        weight = weight_of(types[place], values[place], table)
        if row < 0 or types[place] == _SHOWN or not weight > 0:
            continue
        newest = at[place] if count == 0 else max(newest, at[place])
        known = place_of[row]
        if first <= known < count and rows[known] == row:
            if weight > weights[known]:
                weights[known], times[known] = weight, at[place]
        else:
            place_of[row] = count
            rows[count], weights[count], times[count] = row, weight, at[place]
            count += 1
    return rows[:count].copy(), weights[:count].copy(), times[:count].copy(), newest


@compiled
def _first_times(item: Numbers, at: Times, row_of_number: Rows, n: int) -> Times:
    first = np.full(n, MISSING_TIME, dtype=np.int64)
    for place in range(len(item)):
        row = row_of_number[min(item[place], len(row_of_number) - 1)]
        if row >= 0 and (first[row] == MISSING_TIME or at[place] < first[row]):
            first[row] = at[place]
    return first
