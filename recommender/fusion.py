"""Fusion: what sources say of candidates becomes one order.

Weighted reciprocal rank fusion (after Cormack, Clarke, Büttcher, SIGIR 2009), where no blend was learnt: a source of weight w that gives
a candidate rank r adds w / (constant + r); a source without an opinion adds nothing. Ranks, unlike scores, need no calibration between
sources, so a new source cannot drown the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.best import key_of, place_of
from recommender.compiling import compiled

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

_NO_KEY = np.uint64(2**64 - 1)
"""Stands behind every key, for what has none."""


def united(candidates: Sequence[Rows]) -> Rows:
    """The different rows of several lists, each of shape (any,), ascending: shape (m,)."""
    joined = np.concatenate(candidates) if candidates else np.zeros(0, dtype=np.int32)
    joined.sort()
    return _different(joined)


def ranked(scores: Floats, scales: Floats, places: Places, sources: int) -> tuple[Floats, Rows]:
    """How strongly each of k sources speaks for m candidates and how it ranks them, by its line of `scores`, shape (k, m).

    Both of shape (m, `sources`), a source at its column of `places`, shape (k,). Strengths are scores over `scales`, shape (k,), what the
    best candidate of a query typically gets from a source, 0 where there is no opinion. One scale for all queries, unlike ranks or each
    query's own maximum, keeps how sure a source is of this query: a history that says much makes high scores. Ranks count from 1 for the
    best, ties by place; 0 where there is no opinion.
    """
    strengths = np.zeros((scores.shape[1], sources), dtype=np.float32)
    ranks = np.zeros((scores.shape[1], sources), dtype=np.int32)
    keys = _opinions(scores, scales, places, strengths)
    keys.sort(axis=1)
    _write_ranks(keys, places, ranks)
    return strengths, ranks


def contributions(source_ranks: Rows, weights: Floats, constant: float) -> Floats:
    """What each source adds: shape (m, s) from ranks (m, s), weights (s,) and the rank constant."""
    added: Floats = np.where(source_ranks > 0, weights / (np.float32(constant) + source_ranks.astype(np.float32)), np.float32(0))
    return added


def ordered(added: Floats) -> tuple[Floats, Places]:
    """Sums of what sources added, shape (m, s), per candidate, shape (m,); and the places of those above 0, the highest first, ties by
    place: shape (≤ m,)."""
    totals, keys = _summed(added)
    keys.sort()
    return totals, _places(keys)


@compiled
def reordered(order: Places, judged: Floats, chances: Floats, totals: Floats) -> tuple[Places, Floats]:
    """The `order` of shape (c,) after its leading candidates were `judged`, shape (l ≤ c,), and the scores in it, shape (c,).

    The leading ones go by what they were judged, ties by place, and score their `chances`, shape (l,). What was not looked at follows as it
    stood, and scores less than the least of those by how much its sum, of `totals`, falls behind the last one's.
    """
    leading = len(judged)
    keys = np.empty(leading, dtype=np.uint64)
    chance_of = np.empty(len(totals), dtype=np.float32)
    for at in range(leading):
        keys[at] = ~key_of(judged[at], order[at])
        chance_of[order[at]] = chances[at]
    keys.sort()
    made, scores = np.empty_like(order), np.empty(len(order), dtype=np.float32)
    for at in range(leading):
        made[at] = place_of(~keys[at])
        scores[at] = chance_of[made[at]]
    least, last = chances.min(), totals[order[leading - 1]]
    for at in range(leading, len(order)):
        made[at] = order[at]
        scores[at] = least * (totals[order[at]] / last)
    return made, scores


@compiled
def cut(order: Places, scores: Floats, totals: Floats, added: Floats, source_ranks: Rows, size: int) -> tuple[Floats, Floats, Rows]:
    """The first `size` candidates of an `order`: their scores, shape (n,), what each source's part of them is, shape (n, s), from what it
    `added` to `totals`, and how it ranked them, shape (n, s)."""
    n, s = min(size, len(order)), added.shape[1]
    parts, ranks = np.empty((n, s), dtype=np.float32), np.empty((n, s), dtype=np.int32)
    for at in range(n):
        place = order[at]
        factor = scores[at] / totals[place]
        for source in range(s):
            parts[at, source] = added[place, source] * factor
            ranks[at, source] = source_ranks[place, source]
    return scores[:n].copy(), parts, ranks


@compiled
def _different(ascending: Rows) -> Rows:
    made = np.empty_like(ascending)
    count = 0
    for place in range(len(ascending)):
        made[count] = ascending[place]
        count += int(place + 1 == len(ascending) or ascending[place] != ascending[place + 1])
    return made[:count]


@compiled
def _opinions(scores: Floats, scales: Floats, places: Places, strengths: Floats) -> Keys:
    """Write strengths; a key for each score, the smaller the higher the score and then the lower its place, shape as `scores`."""
    keys = np.empty(scores.shape, dtype=np.uint64)
    for line in range(scores.shape[0]):
        scale, column = scales[line], places[line]
        for place in range(scores.shape[1]):
            score = scores[line, place]
            if score > -np.inf:
                strengths[place, column] = score / scale
                keys[line, place] = ~key_of(score, place)
            else:
                keys[line, place] = _NO_KEY
    return keys


@compiled
def _write_ranks(keys: Keys, places: Places, ranks: Rows) -> None:
    for line in range(keys.shape[0]):
        for at in range(keys.shape[1]):
            if keys[line, at] == _NO_KEY:
                break
            ranks[place_of(~keys[line, at]), places[line]] = at + 1


@compiled
def _summed(added: Floats) -> tuple[Floats, Keys]:
    totals, keys = np.empty(len(added), dtype=np.float32), np.empty(len(added), dtype=np.uint64)
    count = 0
    for place in range(len(added)):
        total = np.float32(0)
        for source in range(added.shape[1]):
            total += added[place, source]
        totals[place] = total
        keys[count] = ~key_of(total, place)
        count += int(total > 0)
    return totals, keys[:count]


@compiled
def _places(keys: Keys) -> Places:
    places = np.empty(len(keys), dtype=np.int64)
    for at in range(len(keys)):
        places[at] = place_of(~keys[at])
    return places
