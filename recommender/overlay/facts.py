"""What the ranker goes by under an overlay: the facts of a generation, and those of the items after them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from recommender.columns import StringColumn, StringListColumn
from recommender.generation.catalogue import Catalogue
from recommender.overlay.content import OverlaidContent
from recommender.overlay.overlay import Overlay
from recommender.ranking.features import FeatureArrays, Floats, ItemFacts, MoreFacts, Rows
from recommender.read_only import read_only
from recommender.sources import FreshSource, Past
from recommender.times import MISSING_TIME


class OverlaidFacts(ItemFacts):
    """The facts of n items under an overlay that adds m. `popularity`, `recent`: shape (n + m,), as in `ItemFacts`."""

    def __init__(
        self, base: ItemFacts, overlay: Overlay, content: OverlaidContent, published: FreshSource, popularity: Floats, recent: Floats
    ) -> None:
        super().__init__(base.catalogue, base.vectors, content.has_vector, popularity, recent, base.first_at)
        self.published_at = read_only(published.published_at)
        self._base, self._overlay, self._content = base, overlay, content

    def vectors_of(self, past: Past) -> Floats:
        """See `ItemFacts`."""
        return self._content.vectors_of(past)

    @property
    def growth(self) -> np.float32:
        """See `ItemFacts`: that of the generation, as long as it was counted for all."""
        return self._base.growth

    @cached_property
    def arrays(self) -> FeatureArrays:
        """See `ItemFacts`."""
        halves, _, _, _, _, _, first_at, missing, offsets, categories, _, authors, *_ = self._base.arrays
        more, size = more_facts(self.catalogue, self._overlay)
        named = halves, self.has_vector, self.popularity, self.recent, self.growth, self.published_at, first_at, missing
        return *named, offsets, categories, size, authors, *more


def more_facts(catalogue: Catalogue, overlay: Overlay) -> tuple[MoreFacts, int]:
    """The facts of what `overlay` adds to `catalogue`, and how many categories there are with those that only its items have."""
    delta = overlay.delta.catalogue
    theirs, ours = delta.column("categories"), catalogue.column("categories")
    by, known_by = delta.column("author"), catalogue.column("author")
    assert isinstance(theirs, StringListColumn)
    assert isinstance(ours, StringListColumn)
    assert isinstance(by, StringColumn)
    assert isinstance(known_by, StringColumn)
    labels = _translated(theirs.values, catalogue.codes_of("categories"), len(ours.values))
    names = _translated(by.values, catalogue.codes_of("author"), len(known_by.values))
    starts, ends = theirs.offsets[overlay.added], theirs.offsets[overlay.added + 1]
    lengths = ends - starts
    offsets = np.concatenate([np.zeros(1, dtype=np.int32), np.cumsum(lengths, dtype=np.int32)])
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    written = by.codes[overlay.added]
    facts = MoreFacts(
        read_only(overlay.halves),
        read_only(np.full(overlay.m, MISSING_TIME, dtype=np.int64)),
        read_only((len(ours.codes) + offsets).astype(np.int32)),
        read_only(labels[theirs.codes[places]]),
        read_only(np.where(written < 0, np.int32(-1), names[written])),
    )
    return facts, max(len(ours.values), int(labels.max(initial=-1)) + 1)


def _translated(values: tuple[str, ...], codes: Mapping[str, int], first: int) -> Rows:
    """The code of each of `values`, one from `first` on for those that have none among `codes`; -1 behind the last, for none."""
    made = np.full(len(values) + 1, -1, dtype=np.int32)
    for place, value in enumerate(values):
        made[place] = codes.get(value, first + place)
    return made
