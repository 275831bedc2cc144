"""Compiled loops of the content source: a history's interests, what is near to them, and how well candidates fit them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.half_kernels import AT_ONCE, Halves, dots, fetch_ahead
from recommender.kernels import FREE, GOLDEN
from recommender.vector_kernels import add_to, product

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_SIGN = np.uint32(1 << 31)


@compiled
def interests_of(
    rows: Rows, weights: Floats, vectors: Floats, has_vector: Mask, least: np.float32, most: int, power: np.float32
) -> tuple[Rows, Floats, Floats, int, bool]:
    """The interests of a history of h items: `rows`, `weights`, shape (h,), and `vectors`, shape (h, d), zeros where there is none.

    The newest liked item leads the first group; each older one joins the group whose leader it is most like, if at least so much or where
    there are `most` groups already, or leads a new one. Returns the group of each item, shape (h,), -1 for those of none; as queries, shape
    (4·b, d), the unit vector of each of k groups, then the weighted mean of what was disliked, then zeros; strengths, shape (k,), the
    groups' shares of the weight to the `power`; k; and whether all are numbers.
    """
    d = vectors.shape[1]
    groups, leaders, totals = np.full(len(rows), -1, dtype=np.int32), np.empty(most, dtype=np.int32), np.zeros(most, dtype=np.float32)
    queries = np.zeros((most + AT_ONCE, d), dtype=np.float32)
    against = np.zeros(d, dtype=np.float32)
    count, liked, every = 0, np.float32(0), np.float32(0)
    for place in range(len(rows) - 1, -1, -1):
        weight = weights[place]
        every += abs(weight)
        if weight < 0:
            add_to(against, -weight, vectors[place])
        if not weight > 0 or not has_vector[rows[place]]:
            continue
        closest, likeness = 0, np.float32(-np.inf)
        for group in range(count):
            alike = product(vectors[place], vectors[leaders[group]])
            if alike > likeness:
                closest, likeness = group, alike
        if not count or (count < most and not likeness >= least):
            closest, leaders[count] = count, place
            count += 1
        groups[place] = closest
        totals[closest] += weight
        liked += weight
        add_to(queries[closest], weight, vectors[place])
    sound = True
    for group in range(count):
        square = product(queries[group], queries[group])
        sound &= bool(square < np.inf)
        length = max(np.sqrt(square), np.float32(1e-9))
        for at in range(d):
            queries[group, at] /= length
    for at in range(d):
        queries[count, at] = against[at] / max(every, np.float32(1e-9))
    sound &= bool(product(against, against) < np.inf)
    strengths = np.empty(count, dtype=np.float32)
    for group in range(count):
        strengths[group] = (totals[group] / max(liked, np.float32(1e-9))) ** power
    return groups, queries[: (count + AT_ONCE) // AT_ONCE * AT_ONCE], strengths, count, sound


@compiled
def _fits(halves: Halves, rows: Rows, queries: Floats, strengths: Floats, aversion: np.float32) -> tuple[Floats, bool]:
    """How well each of `rows` fits the interest that it fits best, by its cosine times the strength, less `aversion` times its likeness to
    what was disliked: shape (m,); and whether all are numbers. `queries` and `strengths` as of `interests_of`, of at least one interest."""
    fits, found = np.empty(len(rows), dtype=np.float32), np.empty(len(queries), dtype=np.float32)
    sound = True
    for place in range(len(rows)):
        fetch_ahead(halves, rows, place)
        line = halves[rows[place]]
        for first in range(0, len(queries), AT_ONCE):
            found[first], found[first + 1], found[first + 2], found[first + 3] = dots(line, queries, first)
        best = np.float32(-np.inf)
        for group in range(len(strengths)):
            fit = found[group] * strengths[group]
            sound &= bool(fit < np.inf)
            best = max(best, fit)
        fits[place] = best - aversion * found[len(strengths)]
        sound &= bool(fits[place] < np.inf)
    return fits, sound


@compiled
def scored(halves: Halves, rows: Rows, queries: Floats, strengths: Floats) -> tuple[Floats, bool]:
    """How well each of `rows` fits the interest that it fits best, less its likeness to what was disliked, -inf where that is not above 0:
    shape (m,); and whether all are numbers."""
    scores, sound = _fits(halves, rows, queries, strengths, np.float32(1))
    for place in range(len(rows)):
        scores[place] = scores[place] if scores[place] > 0 else np.float32(-np.inf)
    return scores, sound


@compiled
def _lists_of(near: Rows, rows: Rows, group: Rows, lists: int, gathered: int, fewest: int, allowed: Mask) -> Rows:
    """The different `allowed` rows near to the newest items of a history that are of a group: of each of up to `lists` as many as make
    up `gathered` together, `fewest` at least."""
    newest, count = np.empty(lists, dtype=np.int32), 0
    for place in range(len(rows) - 1, -1, -1):
        if group[place] >= 0 and count < lists:
            newest[count] = rows[place]
            count += 1
    each = min(max(fewest, gathered // max(count, 1)), near.shape[1])
    bits = 4
    while (1 << bits) < 2 * count * each:
        bits += 1
    shift, last = np.uint32(32 - bits), (1 << bits) - 1
    keys, found = np.full(1 << bits, FREE, dtype=np.int32), np.empty(count * each, dtype=np.int32)
    size = 0
    for place in range(count):
        for at in range(each):
            row = near[newest[place], at]
            if row < 0 or not allowed[row]:
                continue
            slot = np.int64(np.uint32(np.uint32(row) * GOLDEN) >> shift)
            while keys[slot] != row and keys[slot] != FREE:
                slot = (slot + 1) & last
            if keys[slot] == FREE:
                keys[slot] = found[size] = row
                size += 1
    return found[:size]


@compiled
def nearby(
    near: Rows,
    rows: Rows,
    group: Rows,
    lists: int,
    gathered: int,
    fewest: int,
    allowed: Mask,
    limit: int,
    halves: Halves,
    queries: Floats,
    strengths: Floats,
) -> Rows:
    """Of what `_lists_of` gathers the `limit` that fit the interests best, ties by row; in no order."""
    found = _lists_of(near, rows, group, lists, gathered, fewest, allowed)
    if len(found) <= limit or not limit:
        return found[:limit]
    fits, _ = _fits(halves, found, queries, strengths, np.float32(0))
    bits, keys = fits.view(np.uint32), np.empty(len(found), dtype=np.uint64)
    for place in range(len(found)):
        # The better the fit, and then the lower the row, the larger; no two are equal.
        order = ~bits[place] if bits[place] & _SIGN else bits[place] | _SIGN
        keys[place] = (np.uint64(order) << np.uint64(32)) | np.uint64(~np.uint32(found[place]))
    cut, count = _cut(keys, limit), 0
    for place in range(len(found)):
        if keys[place] >= cut:
            found[count] = found[place]
            count += 1
    return found[:count]


@compiled
def _cut(keys: npt.NDArray[np.uint64], limit: int) -> np.uint64:
    """The `limit`-th largest of `keys`, shape (c,), c ≥ `limit` ≥ 1: settled bit by bit, without branches that nobody could foretell."""
    cut = np.uint64(0)
    for bit in range(63, -1, -1):
        tried = cut | (np.uint64(1) << np.uint64(bit))
        count = 0
        for place in range(len(keys)):
            count += keys[place] >= tried
        if count >= limit:
            cut = tried
    return cut
