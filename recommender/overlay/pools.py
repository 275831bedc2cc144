"""Pools of candidates of a generation and of what came after it."""

from __future__ import annotations

import numpy as np

from recommender.alike_lists import Alike
from recommender.feeds import Query, SourceName
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.overlay.content import NearLists, OverlaidContent
from recommender.overlay.known import BorrowedTransfer, OfGeneration
from recommender.pools import CONTENT, FRESH, Pools
from recommender.profile import BuildSettings
from recommender.recent_pasts import Pasts, RecentPasts
from recommender.sources import ContentSource, FreshSource, Past, PopularSource, Scorer, Source, TransferSource
from recommender.sources.source import Floats, Mask


class OverlaidPools(Pools):
    """`base`, the pools of a generation of n items, with what an overlay changes: m items more, which the content source, the fresh one and
    those that count know, and which borrow; other sources do not know them. `counts`: popularity and response of the added items, each of
    shape (m,)."""

    def __init__(
        self,
        base: Pools,
        catalogue: OverlaidCatalogue,
        settings: BuildSettings,
        counts: dict[SourceName, Floats],
        lists: NearLists,
    ) -> None:
        self.__dict__.update(base.__dict__)
        overlay = catalogue.overlay
        self.overlay, self.catalogue = overlay, catalogue
        self.lists = lists
        self.sources = tuple(self._over(source, catalogue, counts) for source in base.sources)
        self.pasts = OverlaidPasts(base.pasts, catalogue, settings)
        known = base._known_by
        self.__dict__["_known_by"] = overlay.beside(known, np.zeros(overlay.m, dtype=known.dtype))
        bit = known.dtype.type(1 << CONTENT)
        changed = np.concatenate([overlay.revised_rows, np.arange(overlay.n, overlay.n + overlay.m, dtype=np.int32)])
        there = self.content.has_vector
        self._known_by[changed] = np.where(there[changed], self._known_by[changed] | bit, self._known_by[changed] & ~bit)

    def _over(self, source: Source, catalogue: OverlaidCatalogue, counts: dict[SourceName, Floats]) -> Source:
        if isinstance(source, ContentSource):
            return OverlaidContent(source, self.overlay, self.lists)
        if isinstance(source, FreshSource):
            published_at, overlay = self.overlay.delta.catalogue.published_at, self.overlay
            return source.changed(overlay.revised_rows, published_at[overlay.revised], published_at[overlay.added])
        if isinstance(source, PopularSource):
            return source.beside(counts[source.name])
        if isinstance(source, TransferSource):
            return BorrowedTransfer(source, self.overlay)
        return OfGeneration(source, self.overlay.n)

    def is_as_built(self, row: int) -> bool:
        """See `Pools`: not, where the item is new or has changed."""
        return self.overlay.leaves(np.array([row], dtype=np.int32))

    def with_newer(self, found: Alike, query: Query, allowed: Mask) -> Alike:
        """See `Pools`. New items have nothing but their content to be like anything by."""
        past = self.pasts.of(query)
        weight = self._weights(query, past, learned=True)[CONTENT]
        content = self.content.prepare(past, 0)
        rows = content.newer(allowed, query.size)
        rows = np.sort(rows[~np.isin(rows, found.rows)])
        if self._blend is None or not len(rows):
            return found
        scores = content.score(rows) / self._blend.scales[CONTENT] * weight
        joined = np.concatenate([found.rows, rows]), np.concatenate([found.scores, scores])
        order = np.lexsort((joined[0], -joined[1]))[: query.size]
        sources = np.concatenate([found.sources, np.full(len(rows), SourceName.CONTENT, dtype=np.uint8)])
        return Alike(joined[0][order], joined[1][order], sources[order])

    def prepared(self, source: Source, past: Past, moment: int) -> Scorer:
        """See `Pools`."""
        if not isinstance(source, OfGeneration):
            return super().prepared(source, past, moment)
        # What is made of the history by the source itself is kept, whatever is laid over the generation.
        known, places = past.within(source.n)
        return source.over(super().prepared(source.source, known, moment), places)

    @property
    def content(self) -> OverlaidContent:
        """The content source."""
        source = self.sources[CONTENT]
        assert isinstance(source, OverlaidContent)
        return source

    @property
    def published(self) -> FreshSource:
        """The source that knows when each item was published."""
        source = self.sources[FRESH]
        assert isinstance(source, FreshSource)
        return source


class OverlaidPasts:
    """Histories in which items may occur that an overlay adds; all others are those of the generation. See `RecentPasts`."""

    def __init__(self, base: Pasts, catalogue: OverlaidCatalogue, settings: BuildSettings) -> None:
        self._base, self._catalogue = base, catalogue
        self._newer = RecentPasts(catalogue, settings)

    def of(self, query: Query) -> Past:
        """The history of `query`."""
        return self._knowing(query).of(query)

    def is_of_a_regular(self, query: Query) -> bool:
        """Whether the history of `query` asked more than once."""
        return self._knowing(query).is_of_a_regular(query)

    def _knowing(self, query: Query) -> Pasts:
        return self._newer if self._catalogue.any_added(query.history["item"]) else self._base
