"""From held-out people to a blend: weights of the sources first, then, where it orders better, a ranker on top of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from indexing.blending.calibration import platt
from indexing.blending.gains import is_clear
from indexing.blending.ranker import train_ranker
from indexing.blending.samples import Samples, drawn, gather, joined, typical_bests
from indexing.blending.weights import learn_weights, ndcg_of
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.feeds import SourceName
from recommender.judging import HeldOut, Interval, bootstrap_mean, paired_difference
from recommender.placements import Placement
from recommender.profile import Blending
from recommender.ranking import FEATURES, MONOTONE, Blend
from recommender.ranking.blend import AS_SET, NO_CALIBRATION
from recommender.ranking.features import with_blend

Floats = npt.NDArray[np.float32]

STRENGTHS, RANKS = ([FEATURES.index(f"{name.key}.{kind}") for name in SourceName] for kind in ("strength", "rank"))
"""Columns of what the sources say."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A blend and how it came about. `queries` it was learnt on. `gain`: NDCG@20 of ranker less weights on people that the ranker was
    not trained on, None where none was trained; `importance`: by feature, shares of what all splits gained."""

    blend: Blend
    queries: int
    gain: Interval | None = None
    importance: Mapping[str, float] = field(default_factory=dict)


def gather_drawn(
    recommender: Recommender, parts: Sequence[HeldOut], placement: Placement, settings: Blending, *, seed: int, decays: Floats = AS_SET
) -> Samples:
    """Samples of at most `people` of all `parts` together, from a `recommender` that was fitted without what was held out."""
    return gather(recommender, drawn(parts, settings.people, seed=seed), placement, settings.candidates, decays=decays)


def blend_of_cuts(cuts: Sequence[Samples], settings: Blending, *, seed: int, decays: Floats = AS_SET) -> Learnt | None:
    """The blend that serves the people of all `cuts` best; None with too few people to tell, all cuts taken together.

    What is the same group in several cuts was held out in the same way. `decays`: those under which they were gathered.
    """
    if sum(len(samples) for samples in cuts) < settings.fewest:
        return None
    return blend_of_samples(joined(cuts), settings, seed=seed, decays=decays)


def blend_of_samples(samples: Samples, settings: Blending, *, seed: int, decays: Floats = AS_SET) -> Learnt | None:
    """The blend that serves the people of `samples`, gathered under `decays`, best; None where no candidate was taken up."""
    if not samples.hits.any():
        return None
    scales = typical_bests(samples)
    samples = replace(samples, strengths=samples.strengths / scales)
    blend = Blend(learn_weights(samples), scales, None, NO_CALIBRATION, decays)
    if settings.ranker == "never" or len(samples) < settings.fewest_for_ranker:
        return Learnt(blend, len(samples))
    return _with_ranker(samples, settings, blend, seed)


def _with_ranker(samples: Samples, settings: Blending, blend: Blend, seed: int) -> Learnt:
    """The blend with a ranker, if it orders better for people that it was not trained on, and on no cut worse for certain."""
    weights = blend.weights[samples.buckets]
    blended = _leading(np.einsum("qms,qs->qm", samples.strengths, weights), settings.trees.depth)
    lists = _Lists.of(samples, blended, weights > 0)
    labels = lists.hits.astype(np.int32)
    try:
        trained = train_ranker(lists.features, labels, lists.sizes, settings.trees, seed=seed, monotone=MONOTONE, people=samples.people)
    except InvalidInput:
        # Where hits are few, those that would teach an order may all be of one person.
        return Learnt(blend, len(samples))
    judged = samples.where(trained.judged)
    weighted, ours = ndcg_of(judged, blended[trained.judged]), ndcg_of(judged, lists.padded(trained.scores)[trained.judged])
    gain = paired_difference(ours, weighted, np.random.default_rng(seed), people=judged.people)
    total = max(float(trained.importance.sum()), 1e-9)
    importance = dict(zip(FEATURES, (trained.importance / total).tolist(), strict=True))
    gains = ours - weighted
    if settings.ranker == "auto" and (not is_clear(gains, judged.people) or _loses_somewhere(judged, gains, seed)):
        return Learnt(blend, len(samples), gain, importance)
    # Trees grown on everybody give scores that mean what those of the judged ones meant, there being as many of them.
    said = np.repeat(trained.judged, lists.sizes)
    ranked = replace(blend, trees=trained.trees, calibration=platt(trained.scores[said], lists.hits[said]))
    return Learnt(ranked, len(samples), gain, importance)


def _leading(blended: Floats, depth: int) -> Floats:
    """`blended`, shape (q, m), where it is among the `depth` largest of its line, with all that are as large as those, and 0 elsewhere."""
    least = np.sort(blended, axis=1)[:, -depth:].min(axis=1, initial=np.inf)
    leading: Floats = np.where(blended >= least[:, None], blended, np.float32(0))
    return leading


def _loses_somewhere(judged: Samples, gains: npt.NDArray[np.float64], seed: int) -> bool:
    """Whether the people of some cut are served worse for certain, `gains`, shape (q,), being by how much each is served better.

    For certain, as the mean of one cut out of several lies below zero by chance now and then where all gain, and what decides so would
    drop a good ranker at the next rounding.
    """
    for group in np.unique(judged.groups):
        of_group = judged.groups == group
        if bootstrap_mean(gains[of_group], np.random.default_rng(seed), people=judged.people[of_group]).high < 0:
            return True
    return False


@dataclass(frozen=True, eq=False)
class _Lists:
    """Candidates of all queries one after the other: `features` (N, f), `hits` (N,), `sizes` (q,); `inside` (q, m): where they stood."""

    features: Floats
    hits: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, samples: Samples, blended: Floats, heard: npt.NDArray[np.bool_]) -> _Lists:
        """The candidates that anything speaks for, with the features that they are served with.

        Those are of scaled strengths, and nothing of sources that take no part: `heard`, shape (q, s), says which do.
        """
        inside = blended > 0
        made, start = samples.features[inside], 0
        said = heard[np.nonzero(inside)[0]]
        made[:, STRENGTHS] = samples.strengths[inside] * said
        made[:, RANKS] *= said
        sizes = inside.sum(axis=1)
        for size, line, mask in zip(sizes, blended, inside, strict=True):
            with_blend(made[start : start + size], line[mask])
            start += size
        return cls(made, samples.hits[inside], sizes, inside)

    def padded(self, scores: Floats) -> Floats:
        """`scores`, shape (N,), where they stood, all above 0, and 0 elsewhere and where they are NaN."""
        placed = np.zeros(self.inside.shape, dtype=np.float32)
        placed[self.inside] = np.where(np.isnan(scores), 0, scores - np.fmin.reduce(scores, initial=0) + 1)
        return placed
