"""The content source under an overlay: what is new or was reworded is compared as it reads now."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.halves import products
from recommender.overlay.overlay import Overlay
from recommender.overlay.overlay_kernels import count_below, to_compare
from recommender.read_only import read_only
from recommender.sources import Past
from recommender.sources.content import NO_NUMBER, ContentSource, Interests, past_vectors
from recommender.sources.interest_kernels import scored
from recommender.sources.source import Floats, Mask, Rows

PROPOSED = 30
"""Changed items that are proposed for a history, at the most: a page of them."""
COMPARED = 256
"""Changed items that a history is compared with, at the most, so that no number of them makes feeds slow."""
NONE_LENT = np.zeros(0, dtype=np.float32)


class OverlaidContent(ContentSource):
    """The `base` source of n items, and the vectors that an overlay changes or adds.

    `lists`: what is near to changed and added items in the generation, by item number and vector, kept from one overlay to the next.
    """

    def __init__(self, base: ContentSource, overlay: Overlay, lists: NearLists) -> None:
        self.vectors, self.near, self.settings = base.vectors, base.near, base.settings
        self.overlay = overlay
        self._searchable = base.has_vector
        self._lists = lists
        there = overlay.beside(base.has_vector, overlay.has_vector)
        there[overlay.revised_rows] = overlay.delta.has_vector[overlay.revised]
        self.has_vector = read_only(there)

    @property
    def searchable(self) -> Mask:
        """What has a vector in the generation, shape (n,)."""
        return self._searchable

    @cached_property
    def changed(self) -> tuple[Rows, Rows]:
        """Rows that the overlay has a vector of, ascending, and where the delta has it, both of the same shape."""
        overlay = self.overlay
        rows = np.concatenate([overlay.revised_rows, np.arange(overlay.n, overlay.n + overlay.m, dtype=np.int32)])
        places = np.concatenate([overlay.revised, overlay.added])
        there = overlay.delta.has_vector[places]
        return rows[there], places[there]

    def nearest(self, vector: Floats, limit: int, allowed: Mask) -> tuple[Rows, str]:
        """See `ContentSource`. All that has changed is compared as it reads now."""
        standing = allowed[: self.overlay.n] & self.searchable
        standing[self.overlay.revised_rows] = False
        rows, cosines, mode = self.vectors.search(vector[None], limit, standing)
        changed, places = self.changed
        may = allowed[changed]
        changed, places = changed[may], places[may]
        if not len(changed):
            return rows[0], mode
        every = np.concatenate([rows[0], changed])
        near = np.concatenate([cosines[0], products(self.overlay.delta.halves, places, vector[None])[0]])
        return every[np.lexsort((every, -near))[:limit]], mode

    def gather(self, rows: Rows) -> Floats:
        """See `ContentSource`."""
        if self.overlay.leaves(rows):
            return self.vectors.gather(rows)
        places = self.overlay.places(rows)
        same = places < 0
        made = np.empty((len(rows), self.vectors.dimension), dtype=np.float32)
        made[same] = self.vectors.gather(rows[same])
        made[~same] = self.overlay.delta.vectors(places[~same])
        return made

    def vectors_of(self, past: Past) -> Floats:
        """See `ContentSource`. Those of a history without any changed item are kept with it."""
        return past_vectors(past, self.vectors) if self.overlay.leaves(past.rows) else self.gather(past.rows)

    def near_to(self, past: Past) -> tuple[Rows, Rows]:
        """See `ContentSource`. Lists of the generation, and for items that it has not, or as they were, what a search finds there."""
        if self.overlay.leaves(past.rows):
            return self.near, past.rows
        places = self.overlay.places(past.rows)
        near = self.near[np.minimum(past.rows, self.overlay.n - 1)]
        for at in np.flatnonzero(places >= 0).tolist():
            near[at] = self._lists.of(self, int(past.numbers[at]), int(places[at]))
        return read_only(near), np.arange(len(past), dtype=np.int32)

    def compared(self, history: Rows, allowed: Mask) -> Rows:
        """Places among what has `changed` that a `history` is compared with: what is `allowed`, up to `COMPARED`."""
        overlay, rows = self.overlay, self.changed[0]
        if len(rows) <= COMPARED:
            return to_compare(rows, allowed, NONE_LENT, overlay.n, COMPARED)
        return to_compare(rows, allowed, overlay.lent_by(history, np.ones(len(history), dtype=np.float32)), overlay.n, COMPARED)

    def prepare(self, past: Past, now: int) -> OverlaidInterests:
        """Find the interests of the history."""
        return OverlaidInterests(self, past)


class NearLists:
    """What is near in a generation to items that an overlay changes or adds, found when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[bytes, Rows]] = {}

    def of(self, source: OverlaidContent, number: int, place: int) -> Rows:
        """The nearest rows of the generation to the item of a `number`, at `place` of the delta, -1 behind the last: shape (k,)."""
        vector = source.overlay.delta.halves[place]
        kept, found = self._found.get(number, (b"", None))
        if found is None or kept != vector.tobytes():
            size = source.near.shape[1]
            found = np.full(size, -1, dtype=np.int32)
            if source.overlay.delta.has_vector[place]:
                rows, _, _ = source.vectors.search(source.overlay.delta.vectors(np.array([place])), size, source.searchable)
                found[: rows.shape[1]] = rows[0]
            self._found[number] = vector.tobytes(), found
        return found

    def only(self, numbers: npt.NDArray[np.uint32]) -> NearLists:
        """Of the lists those of `numbers`."""
        made, wanted = NearLists(), set(numbers.tolist())
        # A copy, since other threads may be adding to it.
        made._found = {number: found for number, found in list(self._found.items()) if number in wanted}
        return made


class OverlaidInterests(Interests):
    """The content source under an overlay, made ready for a history; rows reach from 0 to n + m − 1."""

    def __init__(self, source: OverlaidContent, past: Past) -> None:
        super().__init__(source, past)
        self._overlaid = source

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        n = self._overlaid.overlay.n
        return np.concatenate([super().candidates(allowed[:n], limit), self.newer(allowed, limit)])

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return super().further(allowed[: self._overlaid.overlay.n], limit)

    def newer(self, allowed: Mask, limit: int) -> Rows:
        """Of what is new or was reworded the `allowed` rows that fit best, `PROPOSED` at the most.

        Where there are more than `COMPARED`, those are looked at which borrow from the history's items, since they are near to these, and
        then the newest.
        """
        if not len(self.vectors):
            return np.zeros(0, dtype=np.int32)
        rows, places = self._overlaid.changed
        chosen = self._overlaid.compared(self._past.rows, allowed)
        if not len(chosen):
            return chosen
        rows, places = rows[chosen], places[chosen]
        scores = self._fits(places)
        best = best_places(scores, min(limit, PROPOSED))
        return rows[best[scores[best] > 0]]

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        overlay = self._overlaid.overlay
        if not len(self.vectors) or overlay.leaves(rows):
            return super().score(rows)
        count = count_below(rows, overlay.n)
        made = np.empty(len(rows), dtype=np.float32)
        made[:count], made[count:] = super().score(rows[:count]), self._fits(overlay.added[rows[count:] - overlay.n])
        if len(overlay.revised_rows):
            places = overlay.places(rows[:count])
            changed = np.flatnonzero(places >= 0)
            made[changed] = self._fits(places[changed])
        return made

    def _fits(self, places: Rows) -> Floats:
        """Scores of items at `places` of the delta."""
        scores, right = scored(self._overlaid.overlay.delta.halves, places, self._queries, self.strengths)
        if not right:
            raise FloatingPointError(NO_NUMBER)
        return scores
