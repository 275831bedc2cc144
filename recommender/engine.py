"""The engine: makes feeds for a batch of queries. What is served, evaluated and exported all comes from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.alike_lists import KEPT, AlikeLists, asks_for_a_list, looking, seeds
from recommender.composing.in_force import InForce, in_force
from recommender.composing.stories import Stories
from recommender.eligibility import Eligibility
from recommender.errors import NotFound
from recommender.feeds import PERSONAL_SOURCES, Degradation, Feed, Query, Reasons, SourceName
from recommender.fusion import reordered
from recommender.generation import Contents, Generation
from recommender.generation.catalogue import Card, Catalogue
from recommender.overlay import OverlaidCatalogue, OverlaidFacts, OverlaidPools, Overlay
from recommender.overlay.content import NearLists
from recommender.overlay.stories import OverlaidStories
from recommender.placements import Placement
from recommender.pools import CONTENT, FRESH, POPULAR, Pools, place_of
from recommender.profile import BuildSettings
from recommender.ranking import Pool, features
from recommender.reasons import reasons_for
from recommender.recent_feeds import KEPT_FEEDS, KEPT_RANKINGS, Key, Recent, is_for_anybody, key_of
from recommender.search.searching import searched
from recommender.segments import Delta
from recommender.slates import composer_of, made_of
from recommender.sources import (
    ContentSource,
    FreshSource,
    Interests,
    PopularSource,
    ResponseSource,
    Source,
)
from recommender.stages import reached
from recommender.store import Change
from recommender.times import to_micros
from recommender.trends import Trend, TrendSource

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.uint32]


class Ranking(NamedTuple):
    """Candidates in the order of their scores: `allowed`, shape (n,), what may be shown; the `pool`; and of it `order`, places, with their
    `scores`, shape (c,), descending."""

    allowed: npt.NDArray[np.bool_]
    pool: Pool
    order: npt.NDArray[np.int64]
    scores: Floats

    @property
    def lasting(self) -> Ranking:
        """The same for later, without what is of all items or was needed for the order alone."""
        return self._replace(allowed=self.allowed[:0].copy(), pool=replace(self.pool, strengths=self.pool.strengths[:0].copy()))


class Recommender:
    """One generation, ready to make feeds; immutable and shared by all threads."""

    def __init__(self, contents: Contents, settings: BuildSettings, eligibility: Eligibility, generation_id: str) -> None:
        self.contents = contents
        self.settings = settings
        self.eligibility = eligibility
        self.generation_id = generation_id
        self.catalogue: Catalogue | OverlaidCatalogue = contents.catalogue
        self.facts = contents.facts
        self.pools = Pools(contents, settings, generation_id)
        # The engine of the generation alone, the popularity, recent popularity and response of what is laid over it, and the sequence up to
        # which events are counted, -1 for those of the generation.
        self._under: Recommender | None = None
        self._further = np.zeros((3, 0), dtype=np.float32)
        self.counted_upto = -1
        self._forget()
        self.stories = Stories(contents.stories)
        self._names = np.array([source.name for source in self.sources], dtype=np.uint8)

    def _forget(self) -> None:
        """Begin without anything that was made before."""
        self._feeds: Recent[Feed] = Recent(KEPT_FEEDS)
        self._rankings: Recent[tuple[Ranking, datetime]] = Recent(KEPT_RANKINGS)

    @classmethod
    def of(cls, generation: Generation) -> Recommender:
        """The engine of a loaded generation, in the state of the catalogue that it was built from."""
        eligibility = Eligibility.of(generation.contents.catalogue, generation.manifest.watermark, generation.contents.words)
        return cls(generation.contents, generation.settings, eligibility, generation.id)

    @classmethod
    def unpublished(cls, contents: Contents, settings: BuildSettings) -> Recommender:
        """The engine of contents that were never written, such as a twin that is only judged."""
        return cls(contents, settings, Eligibility.of(contents.catalogue, 0, contents.words), "unpublished")

    @property
    def sources(self) -> tuple[Source, ...]:
        """All sources, in the order of their names."""
        return self.pools.sources

    @property
    def content(self) -> ContentSource:
        """The source that goes by what items mean."""
        content = self.sources[CONTENT]
        assert isinstance(content, ContentSource)
        return content

    @property
    def fresh(self) -> FreshSource:
        """The source that goes by when items came out."""
        fresh = self.sources[FRESH]
        assert isinstance(fresh, FreshSource)
        return fresh

    @property
    def popular(self) -> PopularSource:
        """The source that goes by what people took up."""
        popular = self.sources[POPULAR]
        assert isinstance(popular, PopularSource)
        return popular

    @cached_property
    def by_likeness(self) -> frozenset[SourceName]:
        """Sources of what is like given items: those that the blend goes by, and content, which knows new items too.

        What comes next is not what is alike.
        """
        heard = PERSONAL_SOURCES - {SourceName.TRANSITIONS, SourceName.SEQUENCE}
        blend = self.contents.blend
        if blend is None:
            return heard
        return frozenset(name for name in heard if name is SourceName.CONTENT or blend.weights[:, place_of(name)].any())

    @cached_property
    def profile_hash(self) -> str:
        """Hash of the build settings that are served with."""
        return self.settings.hash

    @property
    def change(self) -> int:
        """Sequence up to which changes of the catalogue are applied."""
        return self.eligibility.change

    @property
    def overlaid_upto(self) -> int:
        """Sequence as of which new and changed items are laid over the generation; -1 where none are."""
        return self.catalogue.overlay.change if isinstance(self.catalogue, OverlaidCatalogue) else -1

    def with_changes(self, changes: Sequence[Change], change: int) -> Recommender:
        """The engine after `changes` of the catalogue, at sequence `change`. Shares everything but the masks."""
        changed = object.__new__(Recommender)
        changed.__dict__.update(self.__dict__)
        changed._forget()
        changed.eligibility = self.eligibility.with_changes(changes, change)
        changed._under = None if self._under is None else self._under.with_changes(changes, change)
        return changed

    def with_overlay(self, delta: Delta, change: int, changes: Sequence[Change]) -> Recommender:
        """The engine with `delta` laid over its generation, in the place of what was laid over it before: items that are new or have
        changed since it was built. An empty one takes that away.

        `change`: the sequence as of which the delta was made. `changes`: those of the catalogue after it, as far as they are applied.
        """
        under = self._under or self
        if not len(delta.numbers):
            return under
        overlay = Overlay.of(under.contents.catalogue, delta, under.eligibility.deleted, change)
        further = np.zeros((3, overlay.m), dtype=np.float32)
        if isinstance(self.catalogue, OverlaidCatalogue):
            # What is known of items that were there before goes on.
            rows = self.catalogue.rows_of(delta.numbers[overlay.added]) - under.contents.catalogue.n
            further[:, rows >= 0] = self._further[:, rows[rows >= 0]]
            if self.catalogue.overlay.delta.is_searched:
                # Whoever searches next should not have to wait for it.
                delta.words  # noqa: B018
        lists = self.pools.lists.only(delta.numbers) if isinstance(self.pools, OverlaidPools) else NearLists()
        made = under._overlaid(overlay, further, lists)
        made.eligibility = made.eligibility.with_changes(changes, under.change)
        return made

    def _overlaid(self, overlay: Overlay, further: Floats, lists: NearLists) -> Recommender:
        """This engine, a generation's alone, under `overlay`; `further`: counts of what that adds, shape (3, m)."""
        made = object.__new__(Recommender)
        made.__dict__.update(self.__dict__)
        made._forget()
        made._under, made._further = self, further
        popularity, recent, response = further
        made.catalogue = catalogue = OverlaidCatalogue(self.contents.catalogue, overlay)
        made.eligibility = self.eligibility.overlaid(catalogue)
        counts = {SourceName.POPULAR: popularity, SourceName.RESPONSE: response}
        made.pools = pools = OverlaidPools(self.pools, catalogue, self.settings, counts, lists)
        facts = self.contents.facts
        made.stories = OverlaidStories(
            self.stories, catalogue, pools.content, pools.published.published_at, lists, self.settings.near_duplicates
        )
        both = overlay.beside(facts.popularity, popularity), overlay.beside(facts.recent, recent)
        made.facts = OverlaidFacts(facts, overlay, pools.content, pools.published, *both)
        return made

    def with_counts(self, popularity: Floats, recent_popularity: Floats, response: Floats, *, upto: int = -1) -> Recommender:
        """The engine with counts as of now, each of shape (n,), float32, ≥ 0, or (n + m,) where an overlay adds m items. Shares everything
        else.

        What items draw changes within minutes where they are new, long before another build. `upto`: the sequence of the store up to which
        events are counted. Raises ValueError for another shape.
        """
        if self._under is not None:
            assert isinstance(self.pools, OverlaidPools)
            n, counts = self._under.contents.catalogue.n, np.stack([popularity, recent_popularity, response])
            if counts.shape[1] != self.catalogue.n:
                raise ValueError(f"counts of {counts.shape[1]} items, where there are {self.catalogue.n}")
            made = self._under.with_counts(*counts[:, :n], upto=upto)._overlaid(self.pools.overlay, counts[:, n:], self.pools.lists)
            made.eligibility = self.eligibility
            return made
        counted = object.__new__(Recommender)
        counted.__dict__.update(self.__dict__)
        counted._forget()
        counted.counted_upto = upto
        counted.contents = replace(self.contents, popularity=popularity, recent_popularity=recent_popularity, response=response)
        counted.facts = counted.contents.facts
        live: dict[SourceName, Source] = {SourceName.POPULAR: PopularSource(popularity)}
        if response is not self.contents.response:
            live[SourceName.RESPONSE] = ResponseSource(response)
        counted.pools = self.pools.with_sources(live)
        return counted

    def feeds(self, queries: Sequence[Query], *, now: datetime, deadline: float | None = None) -> list[Feed]:
        """One feed for each query, in their order.

        `now`: aware; the moment for validity, freshness and filters. `deadline`: a `time.monotonic()` value; sources that
        would start too near it are left out, and the feed says so. Raises `InvalidCondition` for a filter that is not allowed.
        """
        return [self._answered(query, now, deadline) for query in queries]

    def _answered(self, query: Query, now: datetime, deadline: float | None) -> Feed:
        """The feed of `query`, made before where the same was asked for lately; where chance has a say in it, drawn from what was ranked
        before, as of then."""
        rules = self.rules_for(query, now)
        if query.text:
            found = searched(self, query, self.eligibility.allowed(query, now, rules), now, deadline)
            return replace(found, broken=rules.failed)
        # Of people the feeds of those alone are kept who come again: others would drive them out, and never ask for theirs.
        known = self._may_be_kept(query)
        key = self._key_of(query, rules, now) if known else None
        engine = self if query.trend is None else self._by(query.trend)
        if key is not None and query.goes_by_chance:
            before = self._rankings.get(key)
            if before is not None:
                ranked, now = before
                return engine._arranged(query, rules, ranked._replace(allowed=engine.eligibility.allowed(query, now, rules)), now)
        elif key is not None:
            kept = self._feeds.get(key)
            if kept is not None:
                return kept
        feed, ranking = engine._feed(query, rules, now, deadline)
        if not known and self._may_be_kept(query):
            # Whoever has just come again.
            key = self._key_of(query, rules, now)
        if key is None or feed.degraded:
            return feed
        if not query.goes_by_chance:
            self._feeds.keep(key, query.placement, feed)
        elif ranking is not None:
            self._rankings.keep(key, query.placement, (ranking.lasting, now))
        return feed

    def _may_be_kept(self, query: Query) -> bool:
        return is_for_anybody(query) or self.pools.pasts.is_of_a_regular(query)

    def _key_of(self, query: Query, rules: InForce, now: datetime) -> Key | None:
        """By what the feed of `query` is kept, None where it is not."""
        owner = query.owner if query.owner and self.eligibility.owns_any(query.owner) else ""
        return key_of(query, now, self.eligibility.validities_passed(now), rules.names, owner)

    def rules_for(self, query: Query, now: datetime) -> InForce:
        """Those of its placement's rules that hold for `query` at `now`."""
        return in_force(query.placement.rules, query.audience, now, self.eligibility.can_ask)

    def _by(self, trend: Trend) -> Recommender:
        """This engine with a trend in the place of what is popular, which goes on behind it."""
        rows = self.catalogue.rows_of(trend.numbers)
        known = rows >= 0
        made = object.__new__(Recommender)
        made.__dict__.update(self.__dict__)
        made.pools = self.pools.with_sources({SourceName.POPULAR: TrendSource(rows[known], trend.levels[known], self.popular)})
        return made

    def _feed(self, query: Query, rules: InForce, now: datetime, deadline: float | None) -> tuple[Feed, Ranking | None]:
        """The feed of `query`, and what it was composed from; None where it was found on a list."""
        allowed = self.eligibility.allowed(query, now, rules)
        reached("what may be shown")
        listed = self._listed(query, allowed)
        if listed is not None:
            return listed, None
        ranking = self._ranked(query, allowed, now, deadline)
        return self._arranged(query, rules, ranking, now), ranking

    def _arranged(self, query: Query, rules: InForce, ranking: Ranking, now: datetime) -> Feed:
        """The feed of `query` from its `ranking`, as of `now`."""
        allowed, pool, order, scores = ranking
        composer = composer_of(self, query, rules, now)
        rows, scores, added, source_ranks, slate = made_of(self, query, composer, pool, order, scores, allowed, now)
        numbers = self.catalogue.numbers_at(rows)
        reached("slate")
        reasons = Reasons.none()
        if query.reasons:
            first = slice(query.reasons)
            reasons = reasons_for(self, query, pool.past, rows[first], added[first], pool.scorers).promoting(slate.marks)
        reached("reasons")
        content = pool.scorers.get(CONTENT)
        return Feed(
            numbers=numbers,
            scores=scores,
            sources=self._names[added.argmax(axis=1) if len(rows) else rows],
            contributions=added,
            source_ranks=source_ranks,
            probabilities=slate.chances,
            marks=slate.marks,
            broken=tuple(dict.fromkeys((*rules.failed, *slate.broken))),
            reasons=reasons,
            eligible=int(np.count_nonzero(allowed)),
            retrieval_mode=content.mode if isinstance(content, Interests) else "none",
            degraded=tuple(
                Degradation(self.sources[place].name.key, why) for place, why in sorted(pool.left_out.items()) if pool.weights[place] > 0
            ),
            made_at=to_micros(now),
        )

    def ranking(self, query: Query, *, now: datetime) -> Ranking:
        """What the slate of `query` is composed from, whatever lists there are of what is like one item."""
        return self._ranked(query, self.eligibility.allowed(query, now, self.rules_for(query, now)), now, None)

    def _ranked(self, query: Query, allowed: npt.NDArray[np.bool_], now: datetime, deadline: float | None) -> Ranking:
        pool = self.pools.pool(query, allowed, now, deadline)
        return Ranking(allowed, pool, *self._reranked(pool, query, now))

    def _listed(self, query: Query, allowed: npt.NDArray[np.bool_]) -> Feed | None:
        """What the generation's list of what is like one item answers to `query`; None where it has no such list, or too short a one."""
        lists = self.contents.alike
        if not lists.there or not asks_for_a_list(query, self.by_likeness):
            return None
        row = int(self.catalogue.rows_of(query.history["item"])[0])
        if row < 0 or not self.pools.is_as_built(row):
            return None
        found = lists.found(row, allowed, query.size)
        if found is None:
            return None
        found = self.pools.with_newer(found, query, allowed)
        if self.stories.told_by_new(found.rows):
            # A list knows what tells the very same in its generation alone.
            return None
        return found.feed(query, self.catalogue.numbers_at(found.rows), int(np.count_nonzero(allowed)))

    def alike_lists(
        self, placement: Placement, *, now: datetime, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> AlikeLists:
        """What is like each item by this very engine, whatever may be shown at the moment.

        None where no blend was learnt, since each placement then has its own, nor where a source fails.
        """
        n, numbers = self.contents.catalogue.n, self.contents.catalogue.numbers
        if self.contents.blend is None:
            return AlikeLists.none(n)
        at, wanted = to_micros(now), looking(placement.model_copy(update={"blend": "learned"}))

        def pool_of(row: int, allowed: npt.NDArray[np.bool_]) -> Pool:
            query = Query(wanted, KEPT, seeds([int(numbers[row])], at=at), sources=self.by_likeness, seeds_are_items=True)
            return self.pools.pool(query, allowed, now, None)

        return AlikeLists.of(n, pool_of, self.contents.stories, progress)

    def pool(self, query: Query, *, now: datetime) -> Pool:
        """The candidates of `query` that a blend is trained on: those of every source, also where it has to look at every item.

        A blend that is taught with no more than what is served orders what is served worse: on check-ins recall among the first 20 falls
        from .213 to .210.
        """
        return self.pools.pool(query, self.eligibility.allowed(query, now), now, None, thorough=True)

    def _reranked(self, pool: Pool, query: Query, now: datetime) -> tuple[npt.NDArray[np.int64], Floats]:
        """Places of the candidates after the ranker, where there is one, has put the leading ones in order, and their scores, in it.

        Scores become probabilities of being taken up; each source's part of one is its part of the weighted sum.
        """
        order, blend = pool.order, self.contents.blend
        trees = blend.trees if blend is not None and pool.learned and query.sources is None and query.placement.ranker_depth else None
        if blend is None or trees is None or not len(order):
            return order, pool.totals[order]
        columns = self.features(pool, order[: query.placement.ranker_depth], now=now)
        reached("features")
        judged = trees.score(columns)
        reached("trees")
        return reordered(order, judged, blend.probability(judged), pool.totals)

    def features(self, pool: Pool, places: npt.NDArray[np.int64], *, now: datetime) -> Floats:
        """The ranker's features of the candidates at `places`, shape (m,), of a pool: shape (m, f), float32."""
        return features(
            self.facts,
            pool.past,
            pool.rows[places],
            pool.totals[places],
            pool.strengths[places],
            pool.source_ranks[places],
            now=to_micros(now),
        )

    def reasons(self, query: Query, numbers: Numbers, sources: npt.NDArray[np.uint8], *, now: datetime) -> Reasons:
        """Why items of a slate made earlier are in it: `numbers` and the `sources` that moved them most, both shape (r,)."""
        past = self.pools.pasts.of(query)
        named = sorted({place_of(SourceName(int(source))) for source in sources})
        speaking = [place for place in named if self.sources[place].has_opinion(past)]
        scorers = self.pools.worked(speaking, lambda place: self.pools.prepared(self.sources[place], past, to_micros(now)), {})
        added = np.zeros((len(numbers), len(self.sources)), dtype=np.float32)
        added[np.arange(len(numbers)), [place_of(SourceName(int(source))) for source in sources]] = 1
        return reasons_for(self, query, past, self.catalogue.rows_of(numbers), added, scorers)

    def eligible(self, query: Query, numbers: Numbers, *, now: datetime) -> npt.NDArray[np.bool_]:
        """Which of `numbers` may be shown now under all limits of `query`, the same shape."""
        rows = self.catalogue.rows_of(numbers)
        mask = self.eligibility.allowed(query, now, self.rules_for(query, now))
        return (rows >= 0) & mask[np.maximum(rows, 0)] if len(mask) else np.zeros(len(numbers), dtype=np.bool_)

    def breaking(self, query: Query, newest: int, taken_in: Sequence[int], *, now: datetime) -> Numbers:
        """What has come since an item had the number `newest`, less what was `taken_in`, and `query` may show by its placement's condition
        of what is breaking, the last published first: as many as there are slots for it."""
        breaking = query.placement.breaking
        rows = self.catalogue.rows_above(newest)
        if not breaking.filter or not len(rows):
            return np.zeros(0, dtype=np.uint32)
        allowed = self.eligibility.allowed(query, now, self.rules_for(query, now))
        at, moment = self.fresh.published_at[rows], to_micros(now)
        new = ~np.isin(rows, self.catalogue.rows_of(taken_in)) if taken_in else np.ones(len(rows), dtype=np.bool_)
        kept = new & allowed[rows] & (at <= moment) & (at > moment - breaking.within_hours * 3_600e6)
        rows, at = rows[kept], at[kept]
        holds = self.eligibility.holding(breaking.filter, now, rows)
        rows, at = rows[holds], at[holds]
        order = np.argsort(-at, kind="stable")[: len(breaking.slots)]
        return self.catalogue.numbers_at(rows[order])

    def numbers_of(self, item_ids: Sequence[str]) -> tuple[Numbers, list[str]]:
        """Numbers of the ids that this generation knows and that are not deleted, in order, and the other ids."""
        rows, deleted = self.catalogue.rows_of_ids(item_ids).tolist(), self.eligibility.deleted
        known = [row for row in rows if row >= 0 and not deleted[row]]
        unknown = [item_id for item_id, row in zip(item_ids, rows, strict=True) if row < 0 or deleted[row]]
        return self.catalogue.numbers_at(np.array(known, dtype=np.int64)), unknown

    def cards(self, numbers: Numbers) -> list[Card]:
        """What to show of `numbers`, in their order. Raises `NotFound` for a number that this generation does not have."""
        return self.catalogue.cards(self.rows_of(numbers))

    def rows_of(self, numbers: Numbers) -> Rows:
        """Rows of `numbers`, in their order. Raises `NotFound` for a number that this generation does not have."""
        rows = self.catalogue.rows_of(numbers)
        if len(rows) and rows.min() < 0:
            raise NotFound("item of number", str(numbers[rows < 0][0]), f"generation {self.generation_id} does not have it")
        return rows
