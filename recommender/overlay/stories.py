"""Near-duplicates under an overlay: a new item is held against the generation and the other new ones when it is first met."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from recommender.composing.stories import Labels, Mask, Rows, Stories, numbers_named
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
        # What begins a story that new items alone go on with: it tells that story as soon as one of these is met.
        self._begun = np.zeros(catalogue.n, dtype=np.bool_)
        self._meeting = Lock()

    @property
    def may_be_there(self) -> bool:
        """See `Stories`."""
        return True

    def of(self, rows: Rows) -> Labels:
        """See `Stories`."""
        n = self._catalogue.base.n
        new = rows >= n
        for row in rows[new][self._new[rows[new] - n] == _NOT_MET].tolist():
            with self._meeting:
                if self._new[row - n] == _NOT_MET:
                    self._meet(row)
        labels = np.full(len(rows), -1, dtype=np.int32)
        labels[~new] = super().of(rows[~new])
        labels[new] = self._new[rows[new] - n]
        begun = self._begun[rows]
        labels[begun] = rows[begun]
        return labels

    def told_again(self, rows: Rows, told: Rows) -> Mask:
        """See `Stories`."""
        # What begins a story that a new item among the told goes on with is known only when that was met.
        self.of(told[told >= 0])
        return super().told_again(rows, told)

    def told_by_new(self, rows: Rows) -> bool:
        """See `Stories`."""
        new = rows[rows >= self._catalogue.base.n]
        return bool(len(new)) and bool((self.of(new) >= 0).any())

    def _meet(self, row: int) -> None:
        """Find the story of a new item, as a build would: that of an earlier item which is the first of its own.

        Which one does not depend on what was met before: earlier new items that are near are met first.
        """
        n, near = self._catalogue.base.n, dict[int, list[int]]()
        waiting = [row]
        while waiting:
            at = waiting.pop()
            if at not in near:
                near[at] = [other for other in self._near(at) if other < at]
                waiting += [other for other in near[at] if other >= n and self._new[other - n] == _NOT_MET]
        for at in sorted(near):
            told = next((other for other in near[at] if self._is_first(other) and self._tell_the_same(at, other)), -1)
            if told >= 0:
                self._begun[told] = True
            self._new[at - n] = told

    def _is_first(self, row: int) -> bool:
        """Whether the item at `row`, which was met, tells no story that an earlier one began."""
        n = self._catalogue.base.n
        if row >= n:
            return bool(self._new[row - n] < 0)
        return not len(self.told) or int(self.told[row]) in (-1, row)

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
