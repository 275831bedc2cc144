"""Pools of candidates of a generation and of what came after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.alike_lists import Alike
from recommender.feeds import Query, SourceName
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.overlay.content import NearLists, OverlaidContent
from recommender.overlay.overlay_kernels import all_below
from recommender.pools import CONTENT, FRESH, Pools
from recommender.profile import BuildSettings
from recommender.recent_pasts import Pasts, RecentPasts
from recommender.sources import NO_OPINION, ContentSource, FreshSource, Past, PopularSource, Scorer, Source
from recommender.sources.source import Causes, Floats, Mask, Rows


class OverlaidPools(Pools):
    """`base`, the pools of a generation of n items, with what an overlay changes: m items more, which the content source, the fresh one and
    those that count know, the others not. `counts`: popularity and response of the added items, each of shape (m,)."""

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
        self.overlay = overlay
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
        rows = rows[~np.isin(rows, found.rows)]
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
        return Known(super().prepared(source.source, known, moment), source.n, places)

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

    def prepare(self, past: Past, now: int) -> Known:
        """See `Source`."""
        known, places = past.within(self.n)
        return Known(self.source.prepare(known, now), self.n, places)

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
        if not len(rows) or rows[-1] < self._n:
            return self._scorer.score(rows)
        count = int(rows.searchsorted(self._n))
        made = np.empty(len(rows), dtype=np.float32)
        made[:count], made[count:] = self._scorer.score(rows[:count]), NO_OPINION
        return made

    def causes(self, rows: Rows) -> Causes:
        """See `Scorer`."""
        if all_below(rows, self._n):
            causes = self._scorer.causes(rows)
        else:
            known = rows < self._n
            causes, found = Causes.none(len(rows)), self._scorer.causes(rows[known])
            for every, some in zip(causes, found, strict=True):
                every[known] = some
        return causes if self._places is None else causes._replace(places=self._places[causes.places])
