"""The compiled loop that fills a slate place by place: the best of what no rule speaks against, and is not too like what stands before it.

Variety goes by maximal marginal relevance (Carbonell, Goldstein, SIGIR 1998), over a window of places instead of the whole list; rotation
draws without replacement by Plackett's and Luce's choice, so that the chance of every draw is known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, inlined
from recommender.composing.quota_kernels import Floors, Limits, Standing, advance, any_ahead, due_at, due_of, open_ones, serves, take
from recommender.vector_kernels import product

Floats = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int32]
Marks = npt.NDArray[np.uint8]

MARKS = 4
RANKED, PINNED, ENSURED, EXPLORED = range(MARKS)
"""The numbers of `Placing`, which compiled loops know best as such: those that a slate has."""
BREAKING = MARKS
"""What a later page takes in has this one."""


class Taste(NamedTuple):
    """How freely the first `depth` places are filled, each from the first `choice` that fit: see `Variety`.

    `vectors`: shape (v, d), float32, of the leading v candidates, unit or zero; v is 0 where nothing goes by them.
    """

    strength: float
    window: int
    depth: int
    choice: int
    rotation: float
    vectors: Floats


class Trials(NamedTuple):
    """Which places, shape (n,), bool, go to one of the first `choice` of the `uncertain` candidates, shape (u,), int32.

    `share`: the chance that any place had to be such a one. See `Exploration`.
    """

    exploring: Mask
    uncertain: Places
    choice: int
    share: float


@compiled
def compose_slate(
    scores: Floats, pins: Places, limits: Limits, floors: Floors, taste: Taste, trials: Trials, seed: np.uint64
) -> tuple[Places, Floats, Marks, np.uint64]:
    """Fill n = len(`pins`) places, at most as many as there are candidates, by `scores`, shape (c,), descending, ≥ 0.

    `pins`: the candidate that stands at a place beforehand, -1 for none. Where nothing is left that breaks no limit and no floor, what
    breaks the least weighty stands there, so that no place stays empty. Returns the candidate at each place, int32, the chance that it had
    of it, float32, given those before it, what put it there, uint8, and the bits of the limits and floors that were broken.
    """
    c, n, v = len(scores), len(pins), len(taste.vectors)
    chosen, chances, marks = pins.copy(), np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.uint8)
    taken, g = np.zeros(c, dtype=np.bool_), len(limits.limit_of)
    standing = Standing(np.zeros(g, dtype=np.int32), np.zeros(g, dtype=np.int32), np.zeros(g, dtype=np.uint64))
    for slot in range(n):
        if chosen[slot] >= 0:
            marks[slot] = PINNED
            take(chosen[slot], taken, standing, limits, n)
    # How like each candidate is to what stands at the last places, by place modulo the window; and the place up to which it was compared.
    alike, compared = np.zeros((v, taste.window), dtype=np.float32), np.zeros(v, dtype=np.int32)
    logs = _Logs(np.full(c, np.nan), np.zeros(v, dtype=np.float64), np.zeros(v, dtype=np.float64))
    offered, weights = np.empty(taste.choice, dtype=np.int32), np.empty(taste.choice, dtype=np.float64)
    lots, uncertain, unknown = np.empty(trials.choice, dtype=np.int32), trials.uncertain, 0
    order, broken, first, due = np.arange(c).astype(np.int32), np.uint64(0), 0, due_of(floors, n)
    widest = max(limits.within) if len(limits.within) else 0
    pinned, is_uncertain = bool(np.any(pins >= 0)), np.zeros(c, dtype=np.bool_)
    is_uncertain[uncertain] = True
    for slot in range(n):
        advance(slot, chosen, limits, standing)
        if chosen[slot] >= 0:
            continue
        ahead = pinned and any_ahead(slot, widest, pins)
        while taken[first]:
            first += 1
        any_each, any_one = due_at(slot, chosen, floors, due)
        free = slot < taste.depth and (v > 0 or taste.rotation > 0)
        count, least, breaks = open_ones(
            order,
            first,
            taste.choice if free else 1,
            slot,
            chosen,
            taken,
            standing,
            ahead,
            limits,
            floors,
            due,
            any_each,
            any_one,
            offered,
        )
        if count == 0:
            chosen[slot] = least
            broken |= breaks
            take(least, taken, standing, limits, n)
            continue
        best, total, chance = 0, 0.0, 1.0
        if free and taste.rotation == 0:
            best = _best(offered[:count], slot, scores, chosen, taste, alike, compared)
        elif free:
            total = _odds(offered[:count], slot, scores, chosen, taste, alike, compared, logs, weights)
            if total > 0:
                seed, draw = _drawn(seed)
                best = _drawn_by(weights[:count], draw * total)
                chance = weights[best] / total
        put = offered[best]
        if trials.share > 0:
            while unknown < len(uncertain) and taken[uncertain[unknown]]:
                unknown += 1
            # Where none of them stands, all that counts is whether one might.
            wanted = trials.choice if trials.exploring[slot] or is_uncertain[put] else 1
            found, _, _ = open_ones(
                uncertain, unknown, wanted, slot, chosen, taken, standing, ahead, limits, floors, due, any_each, any_one, lots
            )
            if found > 0:
                if trials.exploring[slot]:
                    seed, draw = _drawn(seed)
                    put = lots[int(draw * found)]
                    marks[slot] = EXPLORED
                    chance = _chance_of(put, offered[:count], best, weights, total)
                chance *= 1 - trials.share
                for at in range(found):
                    if lots[at] == put:
                        chance += trials.share / found
        if marks[slot] == RANKED and put != first and serves(put, due, floors.holds):
            marks[slot] = ENSURED
        chosen[slot], chances[slot] = put, chance
        take(put, taken, standing, limits, n)
    return chosen, chances, marks, broken


@compiled
def drawn_places(n: int, share: float, seed: np.uint64) -> Mask:
    """Which of n places are drawn, each by itself with a chance of `share`, shape (n,)."""
    drawn = np.empty(n, dtype=np.bool_)
    # Other draws from the same seed are not to go with these.
    state = np.uint64(seed ^ np.uint64(0xD6E8FEB86659FD93))
    for place in range(n):
        state, draw = _drawn(state)
        drawn[place] = draw < share
    return drawn


@inlined
def _best(offered: Places, slot: int, scores: Floats, chosen: Places, taste: Taste, alike: Floats, compared: Counts) -> int:
    """Which of those `offered` is the best, by its score less what it is like.

    None takes more than its score, so that those of lower scores than the best so far need not be looked at.
    """
    best, highest, vectors = -1, 0.0, taste.vectors
    for at in range(len(offered)):
        place = offered[at]
        if best >= 0 and scores[place] <= highest:
            break
        weight = float(scores[place])
        if place < len(vectors):
            weight *= 1 - taste.strength * _likeness(place, slot, chosen, vectors, alike, compared)
        if best < 0 or weight > highest:
            best, highest = at, weight
    return best


class _Logs(NamedTuple):
    """Logarithms over the rotation, float64: of `scores`, shape (c,), NaN for those that were not needed yet; and of what is `left` of the
    leading v scores after what each is `like`, both of shape (v,)."""

    scores: Weights
    like: Weights
    left: Weights


@inlined
def _odds(
    offered: Places,
    slot: int,
    scores: Floats,
    chosen: Places,
    taste: Taste,
    alike: Floats,
    compared: Counts,
    logs: _Logs,
    weights: Weights,
) -> float:
    """Write the odds of each of those `offered`, its score less what it is like, to the power of 1 / rotation, as parts of the highest, to
    `weights`; their sum, 0 where all scores are."""
    of_scores, like, left, vectors = logs.scores, logs.like, logs.left, taste.vectors
    highest = -np.inf
    for at in range(len(offered)):
        place = offered[at]
        # Few are offered once, and of those that come again few are less or more like the last ones than before.
        if np.isnan(of_scores[place]):
            of_scores[place] = np.log(np.float64(scores[place])) / taste.rotation
        weights[at] = of_scores[place]
        if place < len(vectors):
            now = _likeness(place, slot, chosen, vectors, alike, compared)
            if now != like[place]:
                like[place], left[place] = now, np.log(1 - taste.strength * now) / taste.rotation
            weights[at] += left[place]
        highest = max(highest, weights[at])
    total = 0.0
    if highest > -np.inf:
        for at in range(len(offered)):
            weights[at] = np.exp(weights[at] - highest)
            total += weights[at]
    return total


@inlined
def _likeness(place: int, slot: int, chosen: Places, vectors: Floats, alike: Floats, compared: Counts) -> float:
    """How like a candidate is to what of the last places is most like it, in [0, 1]; compares it with what it was not compared with yet."""
    window = alike.shape[1]
    begin = max(0, slot - window)
    for near in range(max(begin, compared[place]), slot):
        other = chosen[near]
        alike[place, near % window] = product(vectors[place], vectors[other]) if other < len(vectors) else 0
    compared[place] = slot
    most = np.float32(0)
    # In whatever order: the row holds those of the window and no others.
    for near in range(slot - begin):
        most = max(most, alike[place, near])
    return min(float(most), 1.0)


@compiled
def _drawn_by(weights: Weights, left: float) -> int:
    """Where, when weights are laid side by side, a point lies that is so far from the beginning."""
    at = 0
    while at < len(weights) - 1 and left >= weights[at]:
        left -= weights[at]
        at += 1
    return at


@compiled
def _chance_of(place: int, offered: Places, best: int, weights: Weights, total: float) -> float:
    """The chance that a candidate would have had of its place without exploration: by its weight where a `total` was drawn from, else that
    of being the best."""
    for at in range(len(offered)):
        if offered[at] == place:
            if total > 0:
                return float(weights[at] / total)
            return 1.0 if at == best else 0.0
    return 0.0


@compiled
def _drawn(state: np.uint64) -> tuple[np.uint64, float]:
    """The state after another draw, and the draw, in [0, 1) (SplitMix64; Steele, Lea, Flood, OOPSLA 2014)."""
    state = np.uint64(state + np.uint64(0x9E3779B97F4A7C15))
    bits = np.uint64((state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
    bits = np.uint64((bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB))
    bits = np.uint64(bits ^ (bits >> np.uint64(31)))
    return state, float(bits >> np.uint64(11)) / 2.0**53
