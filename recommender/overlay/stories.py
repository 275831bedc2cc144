"""Near-duplicates under an overlay: a new item is held against the generation and the other new ones when it is first met."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.composing.stories import Labels, Rows, Stories, numbers_named
from recommender.halves import products
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.overlay.content import NearLists, OverlaidContent
from recommender.profile import NearDuplicates
from recommender.times import MISSING_TIME

_HOUR_US = 3_600_000_000
_LOOKED_AT = 20
"""Nearest items of the generation that each is compared with."""
_NOT_MET = -2


class OverlaidStories(Stories):
    """Those of a generation's n items, and of the m that an overlay adds, as a build would tell them."""

    def __init__(
        self,
        base: Stories,
        catalogue: OverlaidCatalogue,
        content: OverlaidContent,
        published_at: npt.NDArray[np.int64],
        lists: NearLists,
        settings: NearDuplicates,
    ) -> None:
        """`published_at`: of all n + m items, µs."""
        super().__init__(base.told)
        self._catalogue, self._content, self._lists, self._settings = catalogue, content, lists, settings
        self._published_at = published_at
        self._new = np.full(catalogue.overlay.m, _NOT_MET, dtype=np.int32)
        # Rows of the generation that tell what a new item does, and nothing else there.
        self._joined = np.zeros(0, dtype=np.int32)

    def of(self, rows: Rows) -> Labels:
        """See `Stories`."""
        n = self._catalogue.base.n
        new = rows >= n
        for row in rows[new][self._new[rows[new] - n] == _NOT_MET].tolist():
            self._meet(row)
        labels = np.full(len(rows), -1, dtype=np.int32)
        labels[~new] = super().of(rows[~new])
        labels[new] = self._new[rows[new] - n]
        alone = np.isin(rows, self._joined)
        labels[alone] = rows[alone]
        return labels

    def told_by_new(self, rows: Rows) -> bool:
        """See `Stories`."""
        new = rows[rows >= self._catalogue.base.n]
        return bool(len(new)) and bool((self.of(new) >= 0).any())

    def _meet(self, row: int) -> None:
        """Find the story of a new item."""
        n = self._catalogue.base.n
        for other in self._near(row):
            if self._tell_the_same(row, other):
                told = int(self.told[other]) if other < n and len(self.told) else int(self._new[other - n]) if other >= n else -1
                if told < 0:
                    told = other
                    if other < n:
                        self._joined = np.append(self._joined, np.int32(other))
                    else:
                        self._new[other - n] = other
                self._new[row - n] = told
                return
        self._new[row - n] = -1

    def _near(self, row: int) -> list[int]:
        """Rows of what is near enough to a new item in meaning, the nearest first."""
        overlay, content = self._catalogue.overlay, self._content
        place = int(overlay.places(np.array([row], dtype=np.int32))[0])
        if not overlay.delta.has_vector[place]:
            return []
        vector = overlay.delta.vectors(np.array([place]))
        number = int(self._catalogue.numbers_at(np.array([row], dtype=np.int32))[0])
        found = self._lists.of(content, number, place)[:_LOOKED_AT]
        if not len(found):
            found = content.vectors.search(vector, _LOOKED_AT, content.searchable)[0][0]
        standing = found[found >= 0]
        standing = standing[overlay.places(standing) < 0]
        changed, places = content.changed
        others = changed != row
        every = np.concatenate([standing, changed[others]])
        likeness = np.concatenate([content.vectors.gather(standing) @ vector[0], products(overlay.delta.halves, places[others], vector)[0]])
        near = likeness >= self._settings.likeness
        order = np.lexsort((every[near], -likeness[near]))
        rows: list[int] = every[near][order].tolist()
        return rows

    def _tell_the_same(self, row: int, other: int) -> bool:
        """Whether their titles name the same numbers, and both were published within the time that settings give."""
        both = np.array([row, other], dtype=np.int32)
        one, two = (card.title for card in self._catalogue.cards(both))
        at = self._published_at[both]
        within, dated = self._settings.within_hours, bool((at != MISSING_TIME).all())
        apart = within > 0 and dated and abs(int(at[0]) - int(at[1])) > within * _HOUR_US
        return not apart and numbers_named(one) == numbers_named(two)
