"""Limits and floors as the loop that fills a slate counts them: what stands in their windows, what is due, and what a candidate would
break."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, inlined

Bits = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int32]


class Limits(NamedTuple):
    """At most so many of each label within a window.

    `ends`, shape (c + 1,), int32: candidate i has `labels[ends[i]:ends[i + 1]]`, int32. `limit_of`, shape (g,), int32: the limit of each
    label. `at_most`, `within`, both of shape (l,), int32, and `bits`, shape (l,), uint64: one bit each, the higher the weightier.
    """

    ends: Counts
    labels: Counts
    limit_of: Counts
    at_most: Counts
    within: Counts
    bits: Bits


class Floors(NamedTuple):
    """At least so many within every window: `holds`, shape (e, c), bool, by candidate; the others as those of `Limits`, shape (e,)."""

    holds: Mask
    at_least: Counts
    within: Counts
    bits: Bits


class Standing(NamedTuple):
    """What stands in the slate so far, by label, each of shape (g,): `recent` within its limit's window before the slot, `totals` anywhere,
    and in `over` the bit of its limit where one more at the slot would be too many."""

    recent: Counts
    totals: Counts
    over: Bits


@inlined
def _weigh(label: int, standing: Standing, limits: Limits, n: int) -> None:
    """See anew whether one more with a label would be too many."""
    limit = limits.limit_of[label]
    most = limits.at_most[limit]
    full = standing.totals[label] >= most and (limits.within[limit] >= n or standing.recent[label] >= most)
    standing.over[label] = limits.bits[limit] if full else np.uint64(0)


@inlined
def advance(slot: int, chosen: Places, limits: Limits, standing: Standing) -> None:
    """Count what the windows before a slot have more, and have no more, than those before the slot above it."""
    if slot == 0:
        return
    n, entering = len(chosen), chosen[slot - 1]
    for at in range(limits.ends[entering], limits.ends[entering + 1]):
        standing.recent[limits.labels[at]] += 1
        _weigh(limits.labels[at], standing, limits, n)
    for limit in range(len(limits.within)):
        if slot >= limits.within[limit]:
            leaving = chosen[slot - limits.within[limit]]
            for at in range(limits.ends[leaving], limits.ends[leaving + 1]):
                if limits.limit_of[limits.labels[at]] == limit:
                    standing.recent[limits.labels[at]] -= 1
                    _weigh(limits.labels[at], standing, limits, n)


@inlined
def any_ahead(slot: int, widest: int, pins: Places) -> bool:
    """Whether anything is pinned within the `widest` window that begins with a slot."""
    ahead = False
    for near in range(slot + 1, min(slot + widest, len(pins))):
        ahead |= pins[near] >= 0
    return ahead


@inlined
def take(place: int, taken: Mask, standing: Standing, limits: Limits, n: int) -> None:
    """Put a candidate into the slate of n places: it is taken, and its labels count."""
    taken[place] = True
    for at in range(limits.ends[place], limits.ends[place + 1]):
        standing.totals[limits.labels[at]] += 1
        _weigh(limits.labels[at], standing, limits, n)


class Due(NamedTuple):
    """What a slot must serve of e floors: `each` of some, and `one` at least of others, both of shape (e,), as all of these cannot wait
    longer, since otherwise some window could not be served any more.

    `free`, shape (w,), and `lacking`, shape (e, w), are room to find that out: how many of the places ahead nothing stands at yet, and how
    many each floor lacks, up to each of w places from the slot.
    """

    each: Mask
    one: Mask
    free: Counts
    lacking: Counts


@inlined
def due_of(floors: Floors, n: int) -> Due:
    """Room for what is due at each of n places."""
    e = len(floors.within)
    widest = min(max(floors.within), n) if e else 0
    return Due(
        np.zeros(e, dtype=np.bool_), np.zeros(e, dtype=np.bool_), np.zeros(widest, dtype=np.int32), np.zeros((e, widest), dtype=np.int32)
    )


@inlined
def due_at(slot: int, chosen: Places, floors: Floors, due: Due) -> tuple[bool, bool]:
    """Write what a slot must serve, as late as it may be, to `due`: no window lacks more than the places ahead in it that nothing stands at
    yet, nor do all floors together, by the places up to any of their windows' ends. Whether it must serve `each` of any, and `one` of
    some."""
    each, one, free, lacking = due
    at_least, within, holds = floors.at_least, floors.within, floors.holds
    e, n, any_each, any_one = len(at_least), len(chosen), False, False
    widest = min(len(free), n - slot)
    for ahead in range(1, widest):
        free[ahead] = free[ahead - 1] + int(chosen[slot + ahead] < 0)
    for floor in range(e):
        each[floor], one[floor] = False, False
        width = within[floor]
        begin = max(0, slot - width + 1)
        for ahead in range(widest):
            lacking[floor, ahead] = 0
        has = 0
        for place in range(begin, min(begin + width, n)):
            has += int(place != slot and chosen[place] >= 0 and holds[floor, chosen[place]])
        for start in range(begin, min(slot, n - width) + 1):
            ahead = start + width - 1 - slot
            lacking[floor, ahead] = max(at_least[floor] - has, 0)
            if lacking[floor, ahead] > free[ahead]:
                each[floor], any_each = True, True
            has -= int(start != slot and chosen[start] >= 0 and holds[floor, chosen[start]])
            if start + width < n:
                entering = chosen[start + width]
                has += int(entering >= 0 and holds[floor, entering])
        for ahead in range(1, widest):
            lacking[floor, ahead] = max(lacking[floor, ahead], lacking[floor, ahead - 1])
    ahead = 0
    while e > 1 and ahead < widest and not any_each and not any_one:
        total = 0
        for floor in range(e):
            total += lacking[floor, ahead]
        if total > free[ahead]:
            any_one = True
            for floor in range(e):
                one[floor] = lacking[floor, ahead] > 0
        ahead += 1
    return any_each, any_one


@inlined
def serves(place: int, due: Due, holds: Mask) -> bool:
    """Whether a candidate is of any floor that the slot must serve."""
    # Compiled loops know no generators.
    serves = False
    for floor in range(len(due.each)):
        serves |= (due.each[floor] or due.one[floor]) and holds[floor, place]
    return serves


@inlined
def open_ones(
    order: Places,
    first: int,
    most: int,
    slot: int,
    chosen: Places,
    taken: Mask,
    standing: Standing,
    ahead: bool,
    limits: Limits,
    floors: Floors,
    due: Due,
    any_each: bool,
    any_one: bool,
    found: Places,
) -> tuple[int, int, np.uint64]:
    """Write the first `most` candidates of an `order`, from its place `first` on, that no limit and no floor speaks against at the slot to
    `found`; how many there are.

    Where there are none, also the candidate that breaks the least weighty of them, -1 where all are taken, and the bits of those.
    `ahead`: whether anything is pinned within the widest window that begins with the slot. `any_each`, `any_one`: see `due_at`.
    """
    # Named here, since what is taken out of a tuple in a loop is counted in and out each time.
    ends, labels, over = limits.ends, limits.labels, standing.over
    holds, bits, each, one = floors.holds, floors.bits, due.each, due.one
    # Of what is to serve one floor at least, the one that comes last in the file is let go first.
    let_go = np.uint64(0)
    if any_one:
        for floor in range(len(one)):
            if one[floor] and (let_go == 0 or bits[floor] < let_go):
                let_go = bits[floor]
    count, least, fewest, at = 0, -1, np.uint64(0), first
    while at < len(order) and count < most:
        place = order[at]
        at += 1
        if not taken[place]:
            broken = np.uint64(0)
            for label in range(ends[place], ends[place + 1]):
                broken |= over[labels[label]]
            if any_each:
                for floor in range(len(each)):
                    broken |= bits[floor] if each[floor] and not holds[floor, place] else np.uint64(0)
            elif any_one:
                served = False
                for floor in range(len(one)):
                    served |= one[floor] and holds[floor, place]
                broken |= np.uint64(0) if served else let_go
            if ahead:
                broken |= _broken_ahead(place, slot, chosen, standing, limits)
            if broken == 0:
                found[count] = place
                count += 1
            elif least < 0 or broken < fewest:
                least, fewest = place, broken
    return count, least, fewest


@compiled
def _broken_ahead(place: int, slot: int, chosen: Places, standing: Standing, limits: Limits) -> np.uint64:
    """The bits of limits that a candidate would break at a slot together with what is pinned further down."""
    broken, n = np.uint64(0), len(chosen)
    for at in range(limits.ends[place], limits.ends[place + 1]):
        label = limits.labels[at]
        if standing.over[label] > 0:
            continue
        limit = limits.limit_of[label]
        most, width = limits.at_most[limit], limits.within[limit]
        if standing.totals[label] < most:
            continue
        count = 0
        for near in range(max(0, slot - width + 1), slot):
            count += int(_has(chosen[near], label, limits))
        over = count >= most
        # What is pinned further down stands in windows together with this place.
        for near in range(slot + 1, min(slot + width, n)):
            gone = near - width
            if 0 <= gone < slot:
                count -= int(_has(chosen[gone], label, limits))
            count += int(_has(chosen[near], label, limits))
            over |= count >= most
        if over:
            broken |= limits.bits[limit]
    return broken


@inlined
def _has(place: int, label: int, limits: Limits) -> bool:
    if place >= 0:
        for at in range(limits.ends[place], limits.ends[place + 1]):
            if limits.labels[at] == label:
                return True
    return False
