"""What is known of candidates before a slate is filled: which of them are tried, and what is left of those that were passed over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled

Counts = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]
Times = npt.NDArray[np.int64]


@compiled
def uncertain_ones(weights: Floats, below: float) -> Places:
    """Candidates, of `weights` of people's events, shape (c,), `below` which one is uncertain, shape (u,): by turns the next as they are
    ranked, and the next of those of which least is known, by doublings of it.

    By rank alone, what nobody knows is never tried where enough others are uncertain, and by the other alone trials go to what fits nobody.
    """
    c, count = len(weights), 0
    ranked, known = np.empty(c, dtype=np.int32), np.empty(c, dtype=np.int32)
    starts = np.zeros(2 + int(np.log2(1 + max(below, 0.0))), dtype=np.int64)
    for place in range(c):
        if weights[place] < below:
            ranked[count], known[count] = place, int(np.log2(1 + max(np.float64(weights[place]), 0.0)))
            starts[known[count] + 1] += 1
            count += 1
    # In the order of what is known of them, and among equals as they are ranked.
    starts = np.cumsum(starts)
    least = np.empty(count, dtype=np.int32)
    for at in range(count):
        least[starts[known[at]]] = ranked[at]
        starts[known[at]] += 1
    joined, taken, found = np.empty(count, dtype=np.int32), np.zeros(c, dtype=np.bool_), 0
    for at in range(count):
        for place in (ranked[at], least[at]):
            if not taken[place]:
                taken[place] = True
                joined[found] = place
                found += 1
    return joined


@compiled
def left_of(
    seen: Places, times: Counts, at: Times, rows: Places, discount: float, most: int, half_life: float, now: int, room: Places
) -> Floats:
    """What is left of the scores of different `rows`, shape (r,), after those `seen`, shape (s,), -1 for none, were seen so many `times`,
    last `at` a moment in µs, both of shape (s,).

    Each time counts for a `discount`, `most` of them, and for half of it once the last is a `half_life` ago, in µs. `room`: zeros for all
    items, and zeros again in the end.
    """
    left = np.ones(len(rows), dtype=np.float32)
    # The first that is of an item counts.
    for one in range(len(seen) - 1, -1, -1):
        if seen[one] >= 0:
            room[seen[one]] = one + 1
    for place in range(len(rows)):
        one = room[rows[place]] - 1
        if one >= 0:
            age = max(now - at[one], 0) / half_life
            left[place] = (1 - discount) ** (min(times[one], most) * np.exp2(-age))
    for one in range(len(seen)):
        if seen[one] >= 0:
            room[seen[one]] = 0
    return left
