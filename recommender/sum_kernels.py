"""Sums over weighted lists: added up where each item has a place of its own, looked up there, and the best or strongest of them.

Of a hundred thousand items a few thousand come up. A table of these would be smaller than a place for every item, but each addition to it
waits for what it finds there, and nobody can foretell what that is; additions to places of their own wait for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

import numpy as np

from recommender.best import key_of, move_largest_ahead, place_of, rows_of
from recommender.compiling import compiled
from recommender.cores import cores
from recommender.instructions import prefetch, single
from recommender.kernels import Floats, Halves, Lows, Mask, Rows, prefetch_list
from recommender.lists import SECTION_BITS, Lists

Made = TypeVar("Made")

_rooms: SimpleQueue[Floats] = SimpleQueue()
"""Zeros that are not in use: an array for each core, since of more threads some would only wait for a core in the middle of adding up."""
for _ in range(cores()):
    _rooms.put(np.zeros(0, dtype=np.float32))


def in_room(n: int, work: Callable[[Floats], Made]) -> Made:
    """What `work` makes in zeros for at least n items, which it leaves as zeros."""
    room = _rooms.get()
    try:
        # Those of a smaller generation are let go.
        room = room if len(room) >= n else np.zeros(n, dtype=np.float32)
        return work(room)
    except BaseException:
        # Half-done work leaves no zeros.
        room = room[:0]
        raise
    finally:
        _rooms.put(room)


def sum_lists(lists: Lists, rows: Rows, strengths: Floats, least: np.float32) -> tuple[Rows, Floats, bool]:
    """Sum up lists of weights: Σ strengths[a] · weights of row rows[a], both shape (h,), without strengths up to `least` times the largest.

    Returns the items that came up, shape (c,), in the order in which they did, without those whose sum is 0, their sums, and whether every
    sum is a number below infinity.
    """
    return in_room(lists.n, lambda room: _summed(*lists, rows, strengths, least, room))


def looked_up(items: Rows, sums: Floats, rows: Rows, otherwise: np.float32, n: int) -> Floats:
    """The sums of different `rows`, shape (m,), among those of different `items`, shape (c,), of n; `otherwise` for those that are not
    there or not above 0."""
    return in_room(n, lambda room: _found(items, sums, rows, otherwise, room.view(np.int32)))


@compiled
def _summed(
    offsets: Rows, lows: Lows, weights: Halves, sections: int, rows: Rows, strengths: Floats, least: np.float32, room: Floats
) -> tuple[Rows, Floats, bool]:
    """See `sum_lists`; `room`: zeros for all items, and zeros again in the end."""
    total, least_strength = 0, np.float32(0)
    for place in range(len(rows)):
        prefetch(offsets, rows[place] * sections)
        least_strength = max(least_strength, least * abs(strengths[place]))
    for place in range(len(rows)):
        if not abs(strengths[place]) <= least_strength:
            total += offsets[(rows[place] + 1) * sections] - offsets[rows[place] * sections]
            prefetch_list(offsets, lows, weights, sections, rows[place])
    for place in range(len(rows)):
        row, strength = rows[place], strengths[place]
        if not abs(strength) <= least_strength:
            for section in range(sections):
                before, first = section << SECTION_BITS, row * sections + section
                for at in range(offsets[first], offsets[first + 1]):
                    room[before + lows[at]] += strength * single(weights[at])
    # What was seen is 0 afterwards, and so is taken once. Room for one more, as each is written before it is known whether it counts.
    found, sums = np.empty(total + 1, dtype=np.int32), np.empty(total + 1, dtype=np.float32)
    count, sound = 0, True
    for place in range(len(rows)):
        row = rows[place]
        if not abs(strengths[place]) <= least_strength:
            for section in range(sections):
                before, first = section << SECTION_BITS, row * sections + section
                for at in range(offsets[first], offsets[first + 1]):
                    column = before + lows[at]
                    own = room[column]
                    found[count], sums[count] = column, own
                    room[column] = np.float32(0)
                    count += int(own != 0)
                    sound &= bool(own < np.inf)
    return found[:count].copy(), sums[:count].copy(), sound


@compiled
def _found(items: Rows, sums: Floats, rows: Rows, otherwise: np.float32, room: Rows) -> Floats:
    """See `looked_up`; `room`: zeros for all items, and zeros again in the end."""
    # The few that are asked for have their places marked, the first place being that of all others.
    found = np.full(len(rows) + 1, otherwise, dtype=np.float32)
    for at in range(len(rows)):
        room[rows[at]] = at + 1
    for place in range(len(items)):
        found[room[items[place]]] = sums[place] if sums[place] > 0 else otherwise
    for at in range(len(rows)):
        room[rows[at]] = 0
    return found[1:]


@compiled
def best_sums(items: Rows, sums: Floats, allowed: Mask, limit: int) -> Rows:
    """The `limit` of different `items`, shape (c,), with the highest `sums`, of those that are `allowed`, shape (n,), and above 0; ties go
    to the lower one. In no order."""
    keys, count = np.empty(len(items), dtype=np.uint64), 0
    for place in range(len(items)):
        # Written without a branch, which nobody could foretell.
        keys[count] = key_of(sums[place], items[place])
        count += int((sums[place] > 0) & allowed[items[place]])
    return rows_of(keys[:count], limit)


@compiled
def strongest_sums(items: Rows, sums: Floats, of: Mask, limit: int) -> tuple[Rows, Floats]:
    """The `limit` of different `items`, shape (c,), whose `sums` are farthest from 0, of those in `of`, shape (n,), in no order, and their
    sums; ties go to what stands first."""
    keys, count = np.empty(len(items), dtype=np.uint64), 0
    for place in range(len(items)):
        keys[count] = key_of(abs(sums[place]), place)
        count += int(of[items[place]])
    if count > limit:
        move_largest_ahead(keys[:count], limit)
    kept = min(count, limit)
    chosen, strengths = np.empty(kept, dtype=np.int32), np.empty(kept, dtype=np.float32)
    for at in range(kept):
        own = place_of(keys[at])
        chosen[at], strengths[at] = items[own], sums[own]
    return chosen, strengths
