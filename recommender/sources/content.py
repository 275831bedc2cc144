"""Content source: items near in meaning to the interests that a history shows.

A history's items are grouped by likeness, newest first (leader clustering): an item joins the interest whose leader it is
most like, if like enough, or leads a new one. An interest's vector is the weighted mean of its members. A row scores by the
interest that it fits best, interests with more weight counting more, less its likeness to dismissed items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.feeds import SourceName
from recommender.profile import Content
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, ranked_causes, sound
from recommender.vectors import VectorIndex

STRENGTH_POWER = 0.25
"""How much an interest's share of the history's weight counts against likeness: share to this power."""

ROUNDING = 1e-5


class ContentSource:
    """`vectors` of n items, of which only those in `has_vector`, shape (n,), have one."""

    name = SourceName.CONTENT

    def __init__(self, vectors: VectorIndex, has_vector: Mask, settings: Content) -> None:
        self.vectors = vectors
        self.has_vector = has_vector
        self.settings = settings

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one item of positive weight that has a vector."""
        return batch.counts(batch.positive & self.has_vector[batch.rows]) > 0

    def prepare(self, batch: Batch, now: int) -> Interests:
        """Find the interests of every history."""
        return Interests(self, batch)


@dataclass(frozen=True, eq=False)
class _Profile:
    """Interests of one history: `vectors` (k, d) unit, `strengths` (k,), `group` (h,) the interest of each event or -1,
    `against` (d,) the weighted mean of dismissed items, zeros for none."""

    vectors: Floats
    strengths: Floats
    group: Rows
    against: Floats


class Interests:
    """The content source made ready: the interests of every history of a batch."""

    def __init__(self, source: ContentSource, batch: Batch) -> None:
        self._source = source
        self._batch = batch
        self._weights = batch.decayed(source.settings.history_decay)
        self._profiles = [self._profile(query) for query in range(batch.size)]
        self.modes = ["none"] * batch.size
        """How the candidates of each history were found."""

    def _profile(self, query: int) -> _Profile:
        settings, part = self._source.settings, self._batch.part(query)
        rows, weights = self._batch.rows[part], self._weights[part]
        vectors = self._source.vectors.gather(rows)
        has_vector = self._source.has_vector[rows]
        against = (vectors * np.where(weights < 0, -weights, 0)[:, None]).sum(axis=0) / max(float(np.abs(weights).sum()), 1e-9)
        group = np.full(len(rows), -1, dtype=np.int32)
        liked = np.flatnonzero((weights > 0) & has_vector)
        group[liked] = _grouped(vectors[liked] @ vectors[liked].T, settings)
        shares = np.where(group == np.arange(group.max(initial=-1) + 1)[:, None], weights, 0).astype(np.float32)
        sums, totals = shares @ vectors, shares.sum(axis=1)
        norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        strengths = (totals / max(float(totals.sum()), 1e-9)) ** np.float32(STRENGTH_POWER)
        return _Profile(sound(sums / norms), strengths, group, sound(against.astype(np.float32)))

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        found = np.full((self._batch.size, limit), -1, dtype=np.int32)
        for query, profile in enumerate(self._profiles):
            if not len(profile.vectors):
                continue
            rows, cosines, mode = self._source.vectors.search(profile.vectors, limit, allowed[query] & self._source.has_vector)
            self.modes[query] = mode
            if len(profile.vectors) == 1:
                best = rows[0]
            else:
                # Interests take turns by how well and how strongly they fit, each row once.
                strength = np.where(rows >= 0, cosines * profile.strengths[:, None], NO_OPINION).ravel()
                order = np.argsort(-strength, kind="stable")
                _, first = np.unique(rows.ravel()[order], return_index=True)
                best = rows.ravel()[order][np.sort(first)][:limit]
            best = best[best >= 0]
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores = np.full(rows.shape, NO_OPINION, dtype=np.float32)
        for query, profile in enumerate(self._profiles):
            if not len(profile.vectors):
                continue
            # Without the padding, so that sums have the same shapes, and round alike, in a batch and alone.
            real = rows[query][rows[query] >= 0]
            cosines = self._source.vectors.gather(real) @ np.vstack([profile.vectors, profile.against]).T
            best = (cosines[:, :-1] * profile.strengths).max(axis=1) - cosines[:, -1]
            scores[query, : len(real)] = np.where(sound(best) > 0, best, NO_OPINION)
        return scores

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """See `Scorer`. An event is a cause of a row when without it the interest that the row fits best would fit it less."""
        profile, part = self._profiles[query], self._batch.part(query)
        if not len(profile.vectors):
            return [Cause()] * len(rows)
        vectors, history = (self._source.vectors.gather(each) for each in (rows, self._batch.rows[part]))
        fits, belongs, likeness = vectors @ profile.vectors.T, history @ profile.vectors.T, vectors @ history.T
        chosen = (fits * profile.strengths).argmax(axis=1)
        added = np.where(profile.group == chosen[:, None], likeness * self._weights[part], 0)
        # The interest's cosine with a row grows with the weight of a member iff this is positive (the derivative's sign).
        pull = likeness - np.take_along_axis(fits, chosen[:, None], axis=1) * belongs.T[chosen]
        return ranked_causes(added, pull > -ROUNDING)


def _grouped(likeness: Floats, settings: Content) -> list[int]:
    """The interest of each of h items, oldest first, from their cosines with each other, shape (h, h)."""
    # Plain lists: this walks over few numbers one at a time, where arrays would cost ten times as much.
    cosines: list[list[float]] = likeness.tolist()
    groups, leaders = [0] * len(cosines), list[int]()
    for place in range(len(cosines) - 1, -1, -1):
        to_leaders = [cosines[place][leader] for leader in leaders]
        closest = max(to_leaders, default=-np.inf)
        if leaders and (closest >= settings.same_interest or len(leaders) == settings.interests):
            groups[place] = to_leaders.index(closest)
        else:
            groups[place] = len(leaders)
            leaders.append(place)
    return groups
