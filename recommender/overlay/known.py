"""Sources that know the items of a generation, under an overlay: of what came later they have no opinion, or what it borrows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.feeds import SourceName
from recommender.overlay.overlay import Overlay
from recommender.overlay.overlay_kernels import all_below, count_below, lent_by
from recommender.sources import NO_OPINION, Past, Scorer, Source, TransferSource
from recommender.sources.source import Causes, Floats, Mask, Rows
from recommender.sources.transfer import Lent
from recommender.sum_kernels import best_sums

PROPOSED = 30
"""Items that borrow and are proposed for a history, at the most: a page of them."""


@dataclass(eq=False)
class OfGeneration:
    """A `source` that knows the `n` items of a generation, among more: of those it has no opinion."""

    source: Source
    n: int

    def __post_init__(self) -> None:
        self.name: SourceName = self.source.name
        self.scans: bool = self.source.scans

    @property
    def known(self) -> Mask | None:
        """See `Source`; of the generation's items alone, shape (n,)."""
        return self.source.known

    def prepare(self, past: Past, now: int) -> Scorer:
        """See `Source`."""
        known, places = past.within(self.n)
        return self.over(self.source.prepare(known, now), places)

    def over(self, scorer: Scorer, places: Rows | None) -> Scorer:
        """The `scorer` of the source, made ready for the part of a history that stands at `places` of it, among more items."""
        return Known(scorer, self.n, places)

    def has_opinion(self, past: Past) -> bool:
        """See `Source`."""
        return self.source.has_opinion(past.within(self.n)[0])


class Known:
    """A `scorer` of `n` items among more. `places`: where the part of the history that it was made ready for stands in the whole, shape
    (h',), None where it is the whole."""

    def __init__(self, scorer: Scorer, n: int, places: Rows | None) -> None:
        self._scorer, self._n, self._places = scorer, n, places

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return self._scorer.candidates(allowed[: self._n], limit)

    def further(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return self._scorer.further(allowed[: self._n], limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`; of `rows` that ascend, as those of a pool do."""
        count = count_below(rows, self._n)
        if count == len(rows):
            return self._scorer.score(rows)
        made = np.empty(len(rows), dtype=np.float32)
        made[:count], made[count:] = self._scorer.score(rows[:count]), self._of_newer(rows[count:])
        return made

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`."""
        if all_below(rows, self._n):
            causes = self._scorer.causes(rows)
        else:
            known = rows < self._n
            causes = Causes.none(len(rows))
            for part, found in ((known, self._scorer.causes(rows[known])), (~known, self._causes_of_newer(rows[~known]))):
                for every, some in zip(causes, found, strict=True):
                    every[part] = some
        return causes if self._places is None else causes._replace(places=self._places[causes.places])

    def _of_newer(self, rows: Rows) -> Floats | np.float32:
        """Scores of `rows` from n on, shape (r,) or one for all."""
        return NO_OPINION

    def _causes_of_newer(self, rows: Rows) -> Causes:
        """Causes of `rows` from n on, by places in the part of the history."""
        return Causes.none(len(rows))


class BorrowedTransfer(OfGeneration):
    """The transfer `source` of n items, which lends to those that an `overlay` adds as well."""

    def __init__(self, source: TransferSource, overlay: Overlay) -> None:
        super().__init__(source, overlay.n)
        self.overlay = overlay

    def over(self, scorer: Scorer, places: Rows | None) -> Scorer:
        """See `OfGeneration`."""
        assert isinstance(scorer, Lent)
        return Borrowed(self.overlay, scorer, places) if len(self.overlay.borrowing.lenders) else Known(scorer, self.n, places)


class Borrowed(Known):
    """The transfer source under an overlay, made ready for a history."""

    def __init__(self, overlay: Overlay, scorer: Lent, places: Rows | None) -> None:
        super().__init__(scorer, overlay.n, places)
        self._loans, self._lent = overlay.loans, scorer
        self._sums = overlay.lent_by(*scorer.lending)

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        n = self._n
        newer = best_sums(np.arange(len(self._sums), dtype=np.int32), self._sums, allowed[n:], min(limit, PROPOSED))
        return np.concatenate([super().candidates(allowed, limit), newer + np.int32(n)])

    def _of_newer(self, rows: Rows) -> Floats:
        sums = self._sums[rows - self._n]
        return np.where(sums > 0, sums, NO_OPINION)

    def _causes_of_newer(self, rows: Rows) -> Causes:
        lenders, history = self._lent.parties
        added = (rows - self._n).astype(np.int32)
        return self._lent.causes_of(lent_by(lenders, added, *self._loans), lent_by(history, added, *self._loans))
