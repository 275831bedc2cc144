"""Content source: items near in meaning to the interests that a history shows.

A history's items are grouped by likeness, newest first (leader clustering): an item joins the interest whose leader it is
most like, if like enough, or leads a new one. An interest's vector is the weighted mean of its members. A row scores by the
interest that it fits best, interests with more weight counting more, less its likeness to dismissed items.
"""

from __future__ import annotations

import numpy as np

from recommender.best import best_places
from recommender.feeds import SourceName
from recommender.kernels import led
from recommender.profile import Content
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, Causes, Floats, Mask, Rows, ranked_causes, sound
from recommender.vectors import VectorIndex

STRENGTH_POWER = 0.25
"""How much an interest's share of the history's weight counts against likeness: share to this power."""

ROUNDING = 1e-5

LISTS, GATHERED, FEWEST = 8, 400, 50
"""Newest liked items of a history whose neighbours are gathered, how many in all at about the most, and of each at the least."""


class ContentSource:
    """`vectors` of n items, of which only those in `has_vector`, shape (n,), have one."""

    name = SourceName.CONTENT
    scans = False

    def __init__(self, vectors: VectorIndex, has_vector: Mask, settings: Content) -> None:
        self.vectors = vectors
        self.has_vector = has_vector
        self.settings = settings

    def has_opinion(self, past: Past) -> bool:
        """Whether any item of positive weight has a vector."""
        return bool(self.has_vector[past.liked].any())

    def prepare(self, past: Past, now: int) -> Interests:
        """Find the interests of the history."""
        return Interests(self, past)


class Interests:
    """The content source made ready: k interests of a history of h items.

    `vectors`: shape (k, d), unit. `strengths`: shape (k,). `group`: shape (h,), the interest of each event or -1. `against`:
    shape (d,), the weighted mean of dismissed items, zeros for none. `mode`: how candidates were found.
    """

    def __init__(self, source: ContentSource, past: Past) -> None:
        self._source, self._past = source, past
        self._weights = weights = past.decayed(source.settings.history_decay)
        self._history = history = source.vectors.gather(past.rows)
        against = (np.where(weights < 0, -weights, np.float32(0)) @ history) / max(float(np.abs(weights).sum()), 1e-9)
        self.against: Floats = sound(against.astype(np.float32))
        self.group: Rows = np.full(len(weights), -1, dtype=np.int32)
        liked = np.flatnonzero((weights > 0) & source.has_vector[past.rows])
        members = history[liked]
        self.group[liked] = led(members @ members.T, np.float32(source.settings.same_interest), source.settings.interests)
        shares = np.where(self.group == np.arange(self.group.max(initial=-1) + 1)[:, None], weights, np.float32(0))
        sums, totals = shares @ history, shares.sum(axis=1)
        norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-9))
        self.strengths: Floats = (totals / max(float(totals.sum()), 1e-9)) ** np.float32(STRENGTH_POWER)
        self.vectors: Floats = sound(sums / norms)
        self.mode = "none"

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`. Where lists of what is near are kept, the best of those."""
        if not len(self.vectors):
            return np.zeros(0, dtype=np.int32)
        near = self._source.vectors.near
        if not near.shape[1]:
            return self._searched(allowed, limit)
        self.mode = "lists"
        newest = self._past.rows[self.group >= 0][-LISTS:]
        rows = np.unique(near[newest, : max(FEWEST, GATHERED // max(len(newest), 1))])
        rows = rows[rows >= 0]
        rows = rows[allowed[rows]]
        best: Rows = rows[best_places(self._fits(rows), limit)]
        return best

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`: what a search finds, where there was none yet."""
        return self._searched(allowed, limit) if self.mode == "lists" else np.zeros(0, dtype=np.int32)

    def _searched(self, allowed: Mask, limit: int) -> Rows:
        """Up to `limit` of the `allowed` rows that fit the interests best, in no order: shape (≤ limit,)."""
        rows, cosines, self.mode = self._source.vectors.search(self.vectors, limit, allowed & self._source.has_vector)
        if len(self.vectors) == 1:
            best = rows[0]
        else:
            # Interests take turns by how well and how strongly they fit, each row once.
            strength = np.where(rows >= 0, cosines * self.strengths[:, None], NO_OPINION).ravel()
            order = np.argsort(-strength, kind="stable")
            _, first = np.unique(rows.ravel()[order], return_index=True)
            best = rows.ravel()[order][np.sort(first)][:limit]
        found: Rows = best[best >= 0]
        return found

    def _fits(self, rows: Rows) -> Floats:
        """How well `rows`, shape (r,), fit the interest that they fit best, shape (r,)."""
        fits: Floats = (self._source.vectors.cosines(rows, self.vectors) * self.strengths).max(axis=1)
        return fits

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        if not len(self.vectors):
            return np.full(len(rows), NO_OPINION)
        cosines = self._source.vectors.cosines(rows, np.vstack([self.vectors, self.against]))
        best = sound((cosines[:, :-1] * self.strengths).max(axis=1) - cosines[:, -1])
        return np.where(best > 0, best, NO_OPINION)

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`. An event is a cause of a row when without it the interest that the row fits best would fit it less."""
        if not len(self.vectors):
            return Causes.none(len(rows))
        vectors, history = self._source.vectors.gather(rows), self._history
        fits, belongs, likeness = vectors @ self.vectors.T, history @ self.vectors.T, vectors @ history.T
        chosen = (fits * self.strengths).argmax(axis=1)
        added = np.where(self.group == chosen[:, None], likeness * self._weights, np.float32(0))
        # The interest's cosine with a row grows with the weight of a member iff this is positive (the derivative's sign).
        pull = likeness - np.take_along_axis(fits, chosen[:, None], axis=1) * belongs.T[chosen]
        return ranked_causes(added, pull > -ROUNDING)
