"""Weights of the sources, by climbing: one weight at a time is made larger or smaller as long as held-out people are served better.

The measure, NDCG, does not bend smoothly with the weights, so it is climbed directly (coordinate ascent: Metzler and Croft,
Information Retrieval 2007). Where several cuts were held out, what counts is how a blend does on each of them next to the best
single source there: the mean over the cuts and the worst of them alike, since nobody knows which cut the future resembles.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.blending.samples import Samples
from recommender.feeds import SourceName
from recommender.placements import HISTORY_BUCKETS

DEPTH = 20
DISCOUNTS = 1 / np.log2(np.arange(2, DEPTH + 2))
AT_ONCE = 2**15
"""Hits that are placed at a time, which bounds the working arrays."""
STEPS = (0.0, 0.5, 0.8, 1.25, 2.0)
"""What a weight is multiplied by when another is tried."""
SMALLEST = 0.05
"""What a weight of 0 becomes when it is tried again, as a share of the largest."""
SMALL, THRIFT = 0.15, 1e-3
"""Weights below which a source is done without where that lowers the standing by no more, which is a thousandth of NDCG at the most."""
LEAST_GAIN = 1e-4
BAGS = 5
ROUNDS = 6
ENOUGH = 300
"""A bucket of history lengths with fewer people goes by the weights of all."""

Floats = npt.NDArray[np.float32]


def learn_weights(samples: Samples) -> Floats:
    """Weights by bucket of history length and source, shape (4, s), float32, ≥ 0, the largest of each bucket 1.

    A bucket's own weights are taken only where they serve the other half of its people better as well.
    """
    overall = bagged(samples)
    weights = np.tile(overall, (len(HISTORY_BUCKETS), 1))
    for bucket in range(len(HISTORY_BUCKETS)):
        own = samples.where(samples.buckets == bucket)
        if len(own) < ENOUGH:
            continue
        half = held_out_people(own.people, 0.5, seed=0)
        learnt = climbed(own.where(half), overall)
        other = own.where(~half)
        reference = best_singles(other)
        own_stand, all_stand = (standing(other, other.strengths @ tried, reference) for tried in (learnt, overall))
        if own_stand > all_stand:
            weights[bucket] = climbed(own, learnt)
    return weights


def bagged(samples: Samples) -> Floats:
    """The mean of what is climbed to on random halves of the people, shape (s,), the largest 1.

    Sources say much the same, so that one climb gives everything to some of them and leaves others out by chance; the mean keeps
    all that any half had a use for, and serves people who are not like these better (bagging: Caruana et al., ICML 2004, section 2.3).
    """
    start = _equal(samples)
    if len(samples) < ENOUGH:
        return climbed(samples, start)
    summed = np.zeros(len(start))
    for bag in range(BAGS):
        half = held_out_people(samples.people, 0.5, seed=bag)
        reached = climbed(samples.where(half), start)
        summed += reached / max(float(reached.sum()), 1e-9)
    mean = summed / max(float(summed.max()), 1e-9)
    return thrifty(samples, np.asarray(np.where(mean >= SMALLEST, mean, 0), dtype=np.float32))


def thrifty(samples: Samples, weights: Floats) -> Floats:
    """`weights`, shape (s,), without the small ones that hardly serve anybody: each source takes its time with every feed."""
    hit: npt.NDArray[np.bool_] = np.any(samples.hits, axis=1)
    samples = samples.where(hit)
    if not len(samples):
        return weights
    reference = best_singles(samples)
    best = standing(samples, samples.strengths @ weights, reference)
    small = np.flatnonzero((weights > 0) & (weights < SMALL))
    for source in small[np.argsort(weights[small], kind="stable")]:
        others = weights.copy()
        others[source] = 0
        reached = standing(samples, samples.strengths @ others, reference)
        if reached >= best - THRIFT:
            weights, best = others, max(best, reached)
    return weights


def held_out_people(people: npt.NDArray[np.integer], share: float, *, seed: int) -> npt.NDArray[np.bool_]:
    """Which queries belong to held-out people, shape (q,): about `share` of the distinct `people`, shape (q,), with all that is theirs."""
    persons, owner = np.unique(people, return_inverse=True)
    drawn: npt.NDArray[np.bool_] = np.random.default_rng(seed).permutation(len(persons)) < round(share * len(persons))
    return drawn[owner]


def climbed(samples: Samples, start: Floats) -> Floats:
    """The best weights found from `start`, shape (s,), the largest 1."""
    # Whom no candidate hits, no weights serve better.
    hit: npt.NDArray[np.bool_] = np.any(samples.hits, axis=1)
    samples = samples.where(hit)
    if not len(samples):
        return start
    reference = best_singles(samples)
    columns = np.ascontiguousarray(samples.strengths.transpose(2, 0, 1))
    starts = [start, *(single for single in np.eye(len(start), dtype=np.float32) if columns[single > 0].any())]
    weights = max(starts, key=lambda tried: standing(samples, samples.strengths @ tried, reference))
    best = standing(samples, samples.strengths @ weights, reference)
    for _ in range(ROUNDS):
        before = best
        for source, column in enumerate(columns):
            present = weights[source]
            largest = float(weights.max())
            tried = [present * step for step in STEPS] if present > 0 else [largest * SMALLEST, largest * 0.3, largest]
            others = weights.copy()
            others[source] = 0
            without = samples.strengths @ others
            for value in map(np.float32, tried):
                reached = standing(samples, without + value * column, reference) if value or others.any() else -np.inf
                # A source that adds nothing is better left out: it costs time with every feed.
                if reached >= best if value == 0 else reached > best + LEAST_GAIN:
                    weights, best = others.copy(), reached
                    weights[source] = value
        if best - before < LEAST_GAIN:
            break
    relative: Floats = weights / np.float32(max(float(weights.max()), 1e-9))
    return relative


def standing(samples: Samples, scores: Floats, reference: npt.NDArray[np.float64]) -> float:
    """How `scores`, shape (q, m), do next to `reference`, the best single source's NDCG on each cut: log ratios, mean plus worst."""
    values = by_group(samples, ndcg_of(samples, scores))
    ratios = np.log(np.maximum(values, 1e-9) / np.maximum(reference, 1e-9))
    return float(ratios.mean() + ratios.min())


def best_singles(samples: Samples) -> npt.NDArray[np.float64]:
    """The best single source's mean NDCG on each cut."""
    singles = [by_group(samples, ndcg_of(samples, samples.strengths[:, :, source])) for source in range(len(SourceName))]
    best: npt.NDArray[np.float64] = np.max(singles, axis=0)
    return best


def by_group(samples: Samples, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of `values`, shape (q,), over each cut that has people."""
    counts = np.bincount(samples.groups)
    return (np.bincount(samples.groups, weights=values) / np.maximum(counts, 1))[counts > 0]


def ndcg_of(samples: Samples, scores: Floats) -> npt.NDArray[np.float64]:
    """NDCG at 20 of each query by `scores`, shape (q, m), of which only those above 0 rank, shape (q,). Ties by place."""
    # Most hits stand too low to count, which what stands at the last place that does tells at once.
    last = np.sort(scores, axis=1)[:, -DEPTH:].min(axis=1, initial=np.inf)
    own = scores[samples.hit_query, samples.hit_place]
    near = (own > 0) & (own >= last[samples.hit_query])
    hit_query, hit_place = samples.hit_query[near], samples.hit_place[near]
    values = np.zeros(len(samples))
    for start in range(0, len(hit_query), AT_ONCE):
        query, place = hit_query[start : start + AT_ONCE], hit_place[start : start + AT_ONCE]
        # The place in the order follows from how many stand before it.
        lines, own = scores[query], scores[query, place][:, None]
        before = _counted(lines > own) + _counted((lines == own) & (np.arange(scores.shape[1]) < place[:, None]))
        counted = before < DEPTH
        values += np.bincount(query[counted], weights=DISCOUNTS[before[counted]], minlength=len(samples))
    ideal: npt.NDArray[np.float64] = np.concatenate([[0], np.cumsum(DISCOUNTS)])[np.minimum(samples.relevant, DEPTH)]
    return values / ideal


def _counted(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
    """How many are true in each row; NumPy sums small integers many times faster than truth values."""
    counts: npt.NDArray[np.uint16] = np.add.reduce(flags.view(np.uint8), axis=1, dtype=np.uint16)
    return counts


def _equal(samples: Samples) -> Floats:
    return np.asarray(samples.strengths.any(axis=(0, 1)), dtype=np.float32)
