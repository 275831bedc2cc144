"""The loops of search: sums over lists of items by word, and how many slips apart two titles are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Postings = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

COVERED = np.float32(0.999)
"""How much of a word makes all of it, since shares of it do not add up to one exactly."""


@compiled
def proposed(
    postings: Postings,
    offsets: Offsets,
    worths: Floats,
    terms: Places,
    groups: Places,
    weights: Floats,
    allowed: Mask,
    most: int,
) -> tuple[Places, Floats]:
    """Allowed rows that t `terms` are in, and what they are worth by these, both of shape (r,), in no order.

    `postings`, `offsets`: items by term; a posting is four times a row and the field. `worths`: what each field counts, shape (4,).
    `terms`: shape (t,), those of one of the `groups`, shape (t,), next to each other; of a group the one with the highest of `weights`,
    shape (t,), times field counts in each row. `allowed`: shape (n,). Groups are taken in order as long as no more than `most` postings
    were looked at; of the first one always some.
    """
    n = len(allowed)
    sums, current, seen = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int16)
    rows = np.empty(min(n, max(most, 1)), dtype=np.int32)
    count, looked_at, start = 0, 0, 0
    while start < len(terms):
        stop, long = start, 0
        while stop < len(terms) and groups[stop] == groups[start]:
            long += offsets[terms[stop] + 1] - offsets[terms[stop]]
            stop += 1
        if start == 0 or looked_at + long <= most:
            for place in range(start, stop):
                for at in range(offsets[terms[place]], offsets[terms[place] + 1]):
                    if looked_at >= most:
                        break
                    looked_at += 1
                    row = postings[at] >> 2
                    if not allowed[row]:
                        continue
                    value = weights[place] * worths[postings[at] & 3]
                    if seen[row] < 0:
                        rows[count] = row
                        count += 1
                    if seen[row] != groups[start]:
                        seen[row], current[row] = groups[start], np.float32(0)
                    if value > current[row]:
                        sums[row] += value - current[row]
                        current[row] = value
        start = stop
    found = rows[:count].copy()
    return found, sums[found]


@compiled
def worth(
    postings: Postings, offsets: Offsets, worths: Floats, terms: Places, groups: Places, weights: Floats, covers: Floats, rows: Places
) -> tuple[Floats, Places]:
    """What each of `rows`, shape (r,), is worth by all terms, as `proposed` says, and how many groups its title has all of: terms that
    together cover them, by their `covers`, shape (t,)."""
    sums, titled = np.zeros(len(rows), dtype=np.float32), np.zeros(len(rows), dtype=np.int32)
    for place in range(len(rows)):
        start = 0
        while start < len(terms):
            best, in_title, stop = np.float32(0), np.float32(0), start
            while stop < len(terms) and groups[stop] == groups[start]:
                low, high = offsets[terms[stop]], offsets[terms[stop] + 1]
                end = high
                while low < high:
                    middle = (low + high) // 2
                    if np.int64(postings[middle] >> 2) < rows[place]:
                        low = middle + 1
                    else:
                        high = middle
                if low < end and np.int64(postings[low] >> 2) == rows[place]:
                    field = postings[low] & 3
                    best = max(best, weights[stop] * worths[field])
                    if field == 0:
                        in_title += covers[stop]
                stop += 1
            sums[place] += best
            titled[place] += int(in_title > COVERED)
            start = stop
    return sums, titled


@compiled
def slips_between(one: npt.NDArray[np.uint32], others: npt.NDArray[np.uint32], ends: Places) -> Places:
    """How many slips turn `one`, signs as code points, shape (a,), into each of `others`, which lie one after the other between `ends`,
    shape (o + 1,): shape (o,). Of neighbours that were exchanged none is changed again (optimal string alignment)."""
    counts = np.empty(len(ends) - 1, dtype=np.int32)
    width = len(one) + 1
    lines = np.empty((3, width), dtype=np.int32)
    for place in range(len(counts)):
        other = others[ends[place] : ends[place + 1]]
        for at in range(width):
            lines[0, at] = at
        for line in range(1, len(other) + 1):
            now, before, earlier = lines[line % 3], lines[(line - 1) % 3], lines[(line - 2) % 3]
            now[0] = line
            for at in range(1, width):
                same = one[at - 1] == other[line - 1]
                least = min(before[at - 1] + int(not same), min(before[at], now[at - 1]) + 1)
                if at > 1 and line > 1 and one[at - 1] == other[line - 2] and one[at - 2] == other[line - 1]:
                    least = min(least, earlier[at - 2] + 1)
                now[at] = least
        counts[place] = lines[len(other) % 3, width - 1]
    return counts
