"""Content source: items near in meaning to the interests that a history shows.

A history's items are grouped by likeness, newest first (leader clustering): an item joins the interest whose leader it is
most like, if like enough, or leads a new one. An interest's vector is the weighted mean of its members. A row scores by the
interest that it fits best, interests with more weight counting more, less its likeness to dismissed items.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from recommender.feeds import SourceName
from recommender.profile import Content
from recommender.read_only import read_only
from recommender.sources.interest_kernels import interests_of, nearby, scored
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, ByItems, Causes, Floats, Mask, Rows, ranked_causes
from recommender.vectors import VectorIndex

STRENGTH_POWER = np.float32(0.25)
"""How much an interest's share of the history's weight counts against likeness: share to this power."""

ROUNDING = 1e-5

NO_NUMBER = "a likeness is no number"

LISTS, GATHERED, FEWEST = 8, 400, 50
"""Newest liked items of a history whose neighbours are gathered, how many in all at about the most, and of each at the least."""


def past_vectors(past: Past, vectors: VectorIndex) -> Floats:
    """The vectors of a history of h items, shape (h, d): the ranker goes by them as well."""
    made = past.worked_out.get(vectors)
    if made is None:
        made = past.worked_out[vectors] = vectors.gather(past.rows)
    return cast(Floats, made)


class ContentSource(ByItems):
    """`vectors` of n items, of which only those in `has_vector`, shape (n,), have one."""

    name = SourceName.CONTENT
    scans = False

    def __init__(self, vectors: VectorIndex, has_vector: Mask, settings: Content) -> None:
        self.vectors = vectors
        self.has_vector = read_only(has_vector)
        self.near = read_only(vectors.near)
        self.settings = settings

    @property
    def known(self) -> Mask:
        """What has a vector, shape (n,)."""
        return self.has_vector

    @property
    def searchable(self) -> Mask:
        """What a search of `vectors` may find, of its shape."""
        return self.has_vector

    def nearest(self, vector: Floats, limit: int, allowed: Mask) -> tuple[Rows, str]:
        """The `limit` allowed rows that are nearest to a unit `vector`, shape (d,), nearest first, fewer where fewer are allowed, and how
        they were found: "exact" or "index"."""
        rows, _, mode = self.vectors.search(vector[None], limit, allowed & self.searchable)
        return rows[0], mode

    def gather(self, rows: Rows) -> Floats:
        """The vectors of `rows`, shape (r,): shape (r, d)."""
        return self.vectors.gather(rows)

    def vectors_of(self, past: Past) -> Floats:
        """The vectors of a history of h items, shape (h, d)."""
        return past_vectors(past, self.vectors)

    def near_to(self, past: Past) -> tuple[Rows, Rows]:
        """Lists of what is near, and which of them those of a history of h items are, shape (h,)."""
        return self.near, past.rows

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
        self._weights = past.decayed(source.settings.history_decay)
        self._history = source.vectors_of(past)
        settings, least = source.settings, np.float32(source.settings.same_interest)
        self.group, self._queries, self.strengths, count, right = interests_of(
            past.rows, self._weights, self._history, source.has_vector, least, settings.interests, STRENGTH_POWER
        )
        if not right:
            raise FloatingPointError(NO_NUMBER)
        self.vectors: Floats = self._queries[:count]
        self.against: Floats = self._queries[count]
        self.mode = "none"

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`. Where lists of what is near are kept, the best of those."""
        if not len(self.vectors):
            return np.zeros(0, dtype=np.int32)
        source = self._source
        if not source.near.shape[1]:
            return self._searched(allowed, limit)
        self.mode = "lists"
        return nearby(
            *source.near_to(self._past),
            self.group,
            LISTS,
            GATHERED,
            FEWEST,
            allowed,
            limit,
            source.vectors.halves,
            self._queries,
            self.strengths,
        )

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`: what a search finds, where there was none yet."""
        return self._searched(allowed, limit) if self.mode == "lists" else np.zeros(0, dtype=np.int32)

    def _searched(self, allowed: Mask, limit: int) -> Rows:
        """Up to `limit` of the `allowed` rows that fit the interests best, in no order: shape (≤ limit,)."""
        rows, cosines, self.mode = self._source.vectors.search(self.vectors, limit, allowed & self._source.searchable)
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

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        if not len(self.vectors):
            return np.full(len(rows), NO_OPINION)
        scores, right = scored(self._source.vectors.halves, rows, self._queries, self.strengths)
        if not right:
            raise FloatingPointError(NO_NUMBER)
        return scores

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`. An event is a cause of a row when without it the interest that the row fits best would fit it less."""
        if not len(self.vectors):
            return Causes.none(len(rows))
        vectors, history = self._source.gather(rows), self._history
        fits, belongs, likeness = vectors @ self.vectors.T, history @ self.vectors.T, vectors @ history.T
        chosen = (fits * self.strengths).argmax(axis=1)
        added = np.where(self.group == chosen[:, None], likeness * self._weights, np.float32(0))
        # The interest's cosine with a row grows with the weight of a member iff this is positive (the derivative's sign).
        pull = likeness - np.take_along_axis(fits, chosen[:, None], axis=1) * belongs.T[chosen]
        return ranked_causes(added, pull > -ROUNDING)
