"""Compiled loops over the newest events: joining further ones, telling how many people there are, and counting what they took up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.event_table import weight_of
from recommender.times import DAY_US

Numbers = npt.NDArray[np.uint32]
Types = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Times = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]

_SPREAD = 2_654_435_761
"""Knuth's multiplier, by which numbers that follow each other come to lie far apart."""


@compiled
def places_together(items: Numbers, people: Numbers, at: Times, more_items: Numbers, more_people: Numbers, more_at: Times) -> Times:
    """The order in which n events and m more, both by item, then person, then time, are so together: places in the first ones followed by
    the others, shape (n + m,), int64. Where all is equal the first ones come first."""
    n, m = len(items), len(more_items)
    order = np.empty(n + m, dtype=np.int64)
    first, more = 0, 0
    for place in range(n + m):
        if first < n and more < m:
            a, b, c, d = items[first], more_items[more], people[first], more_people[more]
            ahead = a < b or (a == b and (c < d or (c == d and at[first] <= more_at[more])))
        else:
            ahead = first < n
        if ahead:
            order[place] = first
            first += 1
        else:
            order[place] = n + more
            more += 1
    return order


@compiled
def are_enough(
    people: Numbers,
    types: Types,
    portions: Floats,
    at: Times,
    regions: Codes,
    segments: Codes,
    table: Floats,
    since: int,
    in_region: Mask,
    in_segment: Mask,
    enough: int,
) -> bool:
    """Whether `enough` different people have events that count, not before `since` (µs), in a group: of a region and a segment, by their
    codes, that are in it. `table`: the weight of each type."""
    if enough <= 0:
        return True
    size = 4
    while size < 2 * enough:
        size *= 2
    # Nobody has the number 0.
    known, count = np.zeros(size, dtype=np.uint32), 0
    for place in range(len(people)):
        if at[place] < since or not in_region[regions[place]] or not in_segment[segments[place]]:
            continue
        if not weight_of(types[place], portions[place], table) > 0:
            continue
        slot = (np.int64(people[place]) * _SPREAD >> 8) & (size - 1)
        while known[slot] != 0 and known[slot] != people[place]:
            slot = (slot + 1) & (size - 1)
        if known[slot] == 0:
            known[slot] = people[place]
            count += 1
            if count == enough:
                return True
    return False


@compiled
def faded(weight: np.float32, age: np.int64, half_life: int) -> float:
    """What a weight counts at an age in µs, of which none is below 0; without a half-life all of it."""
    return float(weight) * 2.0 ** (-max(age, np.int64(0)) / half_life) if half_life > 0 else float(weight)


@compiled
def taken_up(
    items: Numbers,
    people: Numbers,
    types: Types,
    portions: Floats,
    at: Times,
    regions: Codes,
    segments: Codes,
    table: Floats,
    since: int,
    now: int,
    half_life: int,
    in_region: Mask,
    in_segment: Mask,
) -> tuple[Numbers, npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """What was taken up by events not before `since`, which stand by item, then person, then time: numbers of items, ascending, the weight
    of all events, that of a group's, and how many different people of the group took it up; all of shape (k,).

    A person counts once for an item and day (UTC), by the strongest event, of equal ones the first; so it is within the group. `half_life`:
    µs, 0 for none. `in_region` and `in_segment`: by code, what belongs to the group.
    """
    distinct = 0
    for place in range(len(items)):
        distinct += place == 0 or items[place] != items[place - 1]
    numbers, whole = np.empty(distinct, dtype=np.uint32), np.empty(distinct, dtype=np.float64)
    theirs, of_people = np.empty(distinct, dtype=np.float64), np.empty(distinct, dtype=np.int32)
    count, place, n = 0, 0, len(items)
    while place < n:
        item = items[place]
        all_sum, group_sum, group_people = 0.0, 0.0, 0
        while place < n and items[place] == item:
            person, is_theirs = people[place], False
            while place < n and items[place] == item and people[place] == person:
                if at[place] < since:
                    place += 1
                    continue
                day_ends = (at[place] // DAY_US + 1) * DAY_US
                best, best_at, own, own_at = np.float32(0), np.int64(0), np.float32(0), np.int64(0)
                while place < n and items[place] == item and people[place] == person and at[place] < day_ends:
                    weight = weight_of(types[place], portions[place], table)
                    if weight > best:
                        best, best_at = weight, at[place]
                    if weight > own and in_region[regions[place]] and in_segment[segments[place]]:
                        own, own_at = weight, at[place]
                    place += 1
                if best > 0:
                    all_sum += faded(best, now - best_at, half_life)
                if own > 0:
                    group_sum += faded(own, now - own_at, half_life)
                    is_theirs = True
            group_people += is_theirs
        if all_sum > 0:
            numbers[count], whole[count], theirs[count], of_people[count] = item, all_sum, group_sum, group_people
            count += 1
    return numbers[:count].copy(), whole[:count].copy(), theirs[:count].copy(), of_people[:count].copy()
