"""The engine: makes feeds for a batch of queries. What is served, evaluated and exported all comes from here."""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, cached_property
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from recommender.alike_lists import KEPT, AlikeLists, asks_for_a_list, looking, seeds
from recommender.eligibility import Eligibility
from recommender.errors import NotFound
from recommender.feeds import PERSONAL_SOURCES, Degradation, Feed, Query, Reasons, SourceName
from recommender.fusion import contributions, cut, ordered, ranked, reordered, united
from recommender.generation import Contents, Generation
from recommender.generation.catalogue import Card
from recommender.kernels import below_infinity, bits_of_liked
from recommender.placements import HISTORY_BUCKETS, Placement
from recommender.profile import BuildSettings
from recommender.ranking import Pool, features
from recommender.ranking.blend import EVEN
from recommender.read_only import read_only
from recommender.reasons import reasons_for
from recommender.recent_feeds import RecentFeeds, is_for_anybody, key_of
from recommender.recent_pasts import RecentPasts
from recommender.served_sources import settings_of, sources_of
from recommender.sources import (
    NO_OPINION,
    FreshSource,
    Interests,
    Past,
    PopularSource,
    ResponseSource,
    Scorer,
    Source,
    first_allowed,
)
from recommender.stages import reached
from recommender.store import Change
from recommender.times import to_micros

log = logging.getLogger(__name__)

DEADLINE_MARGIN_S = 0.01
"""A source is not started when less than this is left before the deadline."""


def _place(name: SourceName) -> int:
    """Where a source stands in arrays over sources."""
    return int(name) - 1


_CONTENT, _POPULAR, _FRESH = map(_place, (SourceName.CONTENT, SourceName.POPULAR, SourceName.FRESH))
_GO_WITH = tuple(map(_place, (SourceName.ITEM_ITEM, SourceName.CO_OCCURRENCE, SourceName.TRANSITIONS)))
"""Places of the sources that know what goes with what, the most telling first."""

_LASTING = PERSONAL_SOURCES - {SourceName.CONTENT}
"""Sources whose scorers never change: those of content remember how they found candidates."""

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.uint32]
Made = TypeVar("Made")


@cache
def _named(sources: frozenset[SourceName]) -> npt.NDArray[np.bool_]:
    """By place, whether a source is among `sources`, shape (s,)."""
    return read_only(np.isin(np.array(SourceName), list(sources)))


def _stacked(scores: Mapping[int, Floats], m: int) -> Floats:
    """What k sources say of m candidates, a line for each: shape (k, m)."""
    said = np.empty((len(scores), m), dtype=np.float32)
    for line, scored in enumerate(scores.values()):
        said[line] = scored
    return said


class Recommender:
    """One generation, ready to make feeds; immutable and shared by all threads."""

    def __init__(self, contents: Contents, settings: BuildSettings, eligibility: Eligibility, generation_id: str) -> None:
        self.contents = contents
        self.settings = settings
        self.eligibility = eligibility
        self.generation_id = generation_id
        self.sources: tuple[Source, ...] = sources_of(contents, settings_of(contents, settings))
        self._pasts = RecentPasts(contents.catalogue, settings)
        self._recent = RecentFeeds()
        self._known_by: dict[tuple[int, ...], npt.NDArray[np.uint16]] = {}
        self._names = np.array([source.name for source in self.sources], dtype=np.uint8)

    @classmethod
    def of(cls, generation: Generation) -> Recommender:
        """The engine of a loaded generation, in the state of the catalogue that it was built from."""
        eligibility = Eligibility.of(generation.contents.catalogue, generation.manifest.watermark)
        return cls(generation.contents, generation.settings, eligibility, generation.id)

    @classmethod
    def unpublished(cls, contents: Contents, settings: BuildSettings) -> Recommender:
        """The engine of contents that were never written, such as a twin that is only judged."""
        return cls(contents, settings, Eligibility.of(contents.catalogue, 0), "unpublished")

    @cached_property
    def by_likeness(self) -> frozenset[SourceName]:
        """Sources of what is like given items: those that the blend goes by, and content, which knows new items too.

        What comes next is not what is alike.
        """
        heard = PERSONAL_SOURCES - {SourceName.TRANSITIONS, SourceName.SEQUENCE}
        blend = self.contents.blend
        if blend is None:
            return heard
        return frozenset(name for name in heard if name is SourceName.CONTENT or blend.weights[:, _place(name)].any())

    @cached_property
    def profile_hash(self) -> str:
        """Hash of the build settings that are served with."""
        return self.settings.hash

    @property
    def change(self) -> int:
        """Sequence up to which changes of the catalogue are applied."""
        return self.eligibility.change

    def with_changes(self, changes: Sequence[Change], change: int) -> Recommender:
        """The engine after `changes` of the catalogue, at sequence `change`. Shares everything but the masks."""
        changed = object.__new__(Recommender)
        changed.__dict__.update(self.__dict__)
        changed._recent = RecentFeeds()
        changed.eligibility = self.eligibility.with_changes(changes, change)
        return changed

    def with_counts(self, popularity: Floats, recent_popularity: Floats, response: Floats) -> Recommender:
        """The engine with counts as of now, each of shape (n,), float32, ≥ 0. Shares everything else.

        What items draw changes within minutes where they are new, long before another build. Raises ValueError for another shape.
        """
        counted = object.__new__(Recommender)
        counted.__dict__.update(self.__dict__)
        counted._recent = RecentFeeds()
        counted.contents = replace(self.contents, popularity=popularity, recent_popularity=recent_popularity, response=response)
        live = {SourceName.POPULAR: PopularSource(popularity), SourceName.RESPONSE: ResponseSource(response)}
        counted.sources = tuple(live.get(source.name, source) for source in self.sources)
        return counted

    def feeds(self, queries: Sequence[Query], *, now: datetime, deadline: float | None = None) -> list[Feed]:
        """One feed for each query, in their order.

        `now`: aware; the moment for validity, freshness and filters. `deadline`: a `time.monotonic()` value; sources that
        would start too near it are left out, and the feed says so. Raises `InvalidCondition` for a filter that is not allowed.
        """
        return [self._answered(query, now, deadline) for query in queries]

    def _answered(self, query: Query, now: datetime, deadline: float | None) -> Feed:
        """The feed of `query`, made before where the same was asked for lately."""
        key = key_of(query, now, self.eligibility.validities_passed(now))
        kept = None if key is None else self._recent.get(key)
        if kept is not None:
            return kept
        feed = self._feed(query, now, deadline)
        # Of people the feeds of those alone who come again: others would drive them out, and never ask for theirs.
        if key is not None and not feed.degraded and (is_for_anybody(query) or self._pasts.is_of_a_regular(query)):
            self._recent.keep(key, query.placement, feed)
        return feed

    def _feed(self, query: Query, now: datetime, deadline: float | None) -> Feed:
        allowed = self.eligibility.allowed(query, now)
        reached("what may be shown")
        listed = self._listed(query, allowed)
        if listed is not None:
            return listed
        pool = self._pool(query, allowed, now, deadline)
        order, scores = self._reranked(pool, query, now)
        rows, scores, added, source_ranks = self._slate(query, pool, order, scores, allowed, now)
        numbers = self.contents.catalogue.numbers[rows]
        reached("slate")
        reasons = Reasons.none()
        if query.reasons:
            first = slice(query.reasons)
            reasons = reasons_for(self, query, pool.past, rows[first], added[first], pool.scorers)
        reached("reasons")
        content = pool.scorers.get(_CONTENT)
        return Feed(
            numbers=numbers,
            scores=scores,
            sources=self._names[added.argmax(axis=1) if len(rows) else rows],
            contributions=added,
            source_ranks=source_ranks,
            probabilities=np.ones(len(rows), dtype=np.float32),
            reasons=reasons,
            eligible=int(np.count_nonzero(allowed)),
            retrieval_mode=content.mode if isinstance(content, Interests) else "none",
            degraded=tuple(
                Degradation(self.sources[place].name.key, why) for place, why in sorted(pool.left_out.items()) if pool.weights[place] > 0
            ),
        )

    def _listed(self, query: Query, allowed: npt.NDArray[np.bool_]) -> Feed | None:
        """What the generation's list of what is like one item answers to `query`; None where it has no such list, or too short a one."""
        catalogue, lists = self.contents.catalogue, self.contents.alike
        if not lists.there or not asks_for_a_list(query, self.by_likeness):
            return None
        row = int(catalogue.rows_of(query.history["item"])[0])
        return None if row < 0 else lists.feed(query, row, allowed, catalogue.numbers)

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
            return self._pool(query, allowed, now, None)

        return AlikeLists.of(n, pool_of, progress)

    def pool(self, query: Query, *, now: datetime) -> Pool:
        """The candidates of `query` that a blend is trained on: those of every source, also where it has to look at every item.

        A blend that is taught with no more than what is served orders what is served worse: on check-ins recall among the first 20 falls
        from .213 to .210.
        """
        return self._pool(query, self.eligibility.allowed(query, now), now, None, thorough=True)

    def _pool(self, query: Query, allowed: npt.NDArray[np.bool_], now: datetime, deadline: float | None, *, thorough: bool = False) -> Pool:
        past = self._pasts.of(query)
        blend = self.contents.blend
        learned = blend is not None and query.placement.blend == "learned"
        weights = self._weights(query, past, learned=learned)
        taking = weights.nonzero()[0].tolist()
        left_out: dict[int, str] = {}
        moment = to_micros(now)
        reached("history")

        def prepare(place: int) -> Scorer:
            made = self._prepared(self.sources[place], past, moment)
            reached("prepared", self.sources[place].name)
            return made

        scorers = self._worked(taking, prepare, left_out, deadline)

        proposing = list(scorers) if thorough else self._proposing(scorers)
        limit = query.placement.candidates
        if len(proposing) == 1:
            # What one source alone proposes is what fills the slate, and where nothing comes after its order, all that is asked for.
            limit = query.size if query.sources is not None else max(limit, query.size)

        def propose(place: int) -> Rows:
            found = scorers[place].candidates(allowed, limit)
            reached("candidates", self.sources[place].name)
            return found

        proposed = self._worked(proposing, propose, left_out, deadline)
        further = self._worked(
            self._going_on(scorers, proposed, query), lambda place: scorers[place].further(allowed, limit), left_out, deadline
        )
        rows = united([*proposed.values(), *further.values()])
        reached("candidates together")

        def score(place: int) -> Floats:
            scored = scorers[place].score(rows)
            reached("scores", self.sources[place].name)
            return scored

        def sound(place: int) -> Floats:
            if not below_infinity(scores[place]):
                # NaN would pass for no opinion, and the rest of what the source says for sound.
                raise FloatingPointError("a score is no number")
            return scores[place]

        scores = self._worked([place for place in scorers if place not in left_out], score, left_out)
        said = _stacked(scores, len(rows))
        if not below_infinity(said.ravel()):
            scores = self._worked(list(scores), sound, left_out)
            said = _stacked(scores, len(rows))
        places = np.array(list(scores), dtype=np.int64)
        scales = blend.scales if learned and blend is not None else EVEN
        strengths, source_ranks = ranked(said, scales[places], places, len(self.sources))
        if learned:
            if _FRESH in scores:
                # Freshness needs no scaling: it lies in [0, 1] already, by each placement's half-life.
                strengths[:, _FRESH] = np.where(scores[_FRESH] > NO_OPINION, self._freshness(rows, query, now), 0)
            added = strengths * weights
        else:
            added = contributions(source_ranks, weights, query.placement.rank_constant)
            self._fade(added, rows, query, now)
        totals, order = ordered(added)
        reached("blend")
        answered = {place: scorers[place] for place in scores}
        return Pool(past, rows, strengths, source_ranks, weights, added, totals, order, learned, answered, left_out)

    def _prepared(self, source: Source, past: Past, moment: int) -> Scorer:
        """The source made ready for a history, once for all queries of it unless that depends on the moment or keeps anything of one."""
        if source.name not in _LASTING:
            return source.prepare(past, moment)
        made = past.worked_out.get(source)
        if made is None:
            made = past.worked_out[source] = source.prepare(past, moment)
        return cast(Scorer, made)

    def _going_on(self, scorers: Mapping[int, Scorer], proposed: Mapping[int, Rows], query: Query) -> list[int]:
        """Which of the sources, by place, are asked for further candidates than those that were `proposed`.

        Instead of sources that would have to look at every item, one that knows what goes with what goes with the history. And where a
        filter leaves too few to fill the slate, content, which then searches.
        """
        asked = []
        if len(proposed) < len(scorers):
            asked += [place for place in _GO_WITH if place in scorers][:1]
        if _CONTENT in scorers and sum(map(len, proposed.values())) < query.size:
            asked.append(_CONTENT)
        return asked

    def _proposing(self, scorers: Mapping[int, Scorer]) -> list[int]:
        """Which of the sources propose candidates: those that look at every item only where no personal one is there that need not."""
        others = [place for place in scorers if not self.sources[place].scans]
        return others if any(self.sources[place].name in PERSONAL_SOURCES for place in others) else list(scorers)

    def _weights(self, query: Query, past: Past, *, learned: bool) -> Floats:
        """Weight of each source, shape (s,), by the length of the history. A weight of 0 leaves the source out."""
        bucket = bisect_right(HISTORY_BUCKETS, len(past.liked)) - 1
        blend = self.contents.blend
        if blend is not None and learned:
            weights: Floats = blend.weights[bucket].copy()
        else:
            given = [getattr(query.placement.weights, source.name.key)[bucket] for source in self.sources]
            weights = np.array(given, dtype=np.float32)
        if query.sources is not None:
            weights = np.where(_named(query.sources), np.where(weights > 0, weights, np.float32(1)), np.float32(0))
        places = weights.nonzero()[0].tolist()
        liked = int(bits_of_liked(self._knowing(tuple(places)), past.rows, past.weights))
        for place in places:
            if not (self.sources[place].has_opinion(past) if self.sources[place].known is None else liked >> place & 1):
                weights[place] = 0
        return weights

    def _knowing(self, places: tuple[int, ...]) -> npt.NDArray[np.uint16]:
        """Which of the sources at `places` know each item, shape (n,), a bit at the place of each: one look at an item tells of all."""
        if places not in self._known_by:
            known_by = np.zeros(self.contents.catalogue.n, dtype=np.uint16)
            for place in places:
                known = self.sources[place].known
                if known is not None:
                    known_by |= known.astype(np.uint16) << np.uint16(place)
            self._known_by[places] = known_by
        return self._known_by[places]

    def _freshness(self, rows: Rows, query: Query, now: datetime) -> Floats:
        """How fresh each candidate is by the placement's half-life, shape as `rows` (m,), in [0, 1]."""
        source = self.sources[_FRESH]
        assert isinstance(source, FreshSource)
        return source.decay(rows, to_micros(now), query.placement.freshness_half_life_hours)

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
            self.contents.facts,
            pool.past,
            pool.rows[places],
            pool.totals[places],
            pool.strengths[places],
            pool.source_ranks[places],
            now=to_micros(now),
        )

    def _worked(
        self, places: Iterable[int], work: Callable[[int], Made], left_out: dict[int, str], deadline: float | None = None
    ) -> dict[int, Made]:
        """What `work` makes for each source, by its place; why others have nothing is noted in `left_out`."""
        made: dict[int, Made] = {}
        for place in places:
            if deadline is not None and time.monotonic() > deadline - DEADLINE_MARGIN_S:
                left_out[place] = "deadline"
                continue
            try:
                made[place] = work(place)
            except Exception:
                # A feed without one source beats no feed; the answer says so and the log says why.
                log.exception("source failed", extra={"source": self.sources[place].name.key, "generation_id": self.generation_id})
                left_out[place] = "failed"
        return made

    def _fade(self, added: Floats, rows: Rows, query: Query, now: datetime) -> None:
        """Let what freshness adds fade with the age of the item."""
        if added[:, _FRESH].any():
            added[:, _FRESH] *= self._freshness(rows, query, now)

    def _slate(
        self, query: Query, pool: Pool, order: npt.NDArray[np.int64], scores: Floats, allowed: npt.NDArray[np.bool_], now: datetime
    ) -> tuple[Rows, Floats, Floats, Rows]:
        """The rows of a slate from the pool's places in `order`, filled up, with their scores, sources' parts of these and ranks."""
        rows = pool.rows[order[: query.size]]
        scores, added, source_ranks = cut(order, scores, pool.totals, pool.added, pool.source_ranks, query.size)
        if len(rows) < query.size:
            filled, backing = self._fill(query, rows, allowed, now)
            worst = float(scores[-1]) if len(rows) else 1.0
            extra = np.zeros((len(filled), len(self.sources)), dtype=np.float32)
            extra[np.arange(len(filled)), backing] = worst / (2 + np.arange(len(filled), dtype=np.float32))
            rows = np.concatenate([rows, filled])
            added, scores = np.concatenate([added, extra]), np.concatenate([scores, extra.sum(axis=1)])
            source_ranks = np.concatenate([source_ranks, np.zeros((len(filled), len(self.sources)), dtype=np.int32)])
        return rows, scores, added, source_ranks

    def _fill(self, query: Query, taken: Rows, allowed: npt.NDArray[np.bool_], now: datetime) -> tuple[Rows, Rows]:
        """More allowed rows after `taken` by the placement's fallback, so that no slate is short while anything may be shown.

        Returns the rows and the place of the source that each comes from. What has no date follows by popularity.
        """
        fallback = query.placement.fallback
        if fallback == "none" and query.candidates is None:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        left = allowed.copy()
        left[taken] = False
        popular, fresh = self.sources[_POPULAR], self.sources[_FRESH]
        assert isinstance(popular, PopularSource)
        assert isinstance(fresh, FreshSource)
        wanted = query.size - len(taken)
        dated = fresh.published_by(to_micros(now)) if fallback == "fresh" else np.zeros(0, dtype=np.int32)
        newest = first_allowed(dated, left, wanted)
        left[newest] = False
        others = first_allowed(popular.order, left, wanted - len(newest))
        backing = np.repeat([_FRESH, _POPULAR], [len(newest), len(others)])
        return np.concatenate([newest, others]), backing.astype(np.int32)

    def reasons(self, query: Query, numbers: Numbers, sources: npt.NDArray[np.uint8], *, now: datetime) -> Reasons:
        """Why items of a slate made earlier are in it: `numbers` and the `sources` that moved them most, both shape (r,)."""
        past = self._pasts.of(query)
        named = sorted({_place(SourceName(int(source))) for source in sources})
        speaking = [place for place in named if self.sources[place].has_opinion(past)]
        scorers = self._worked(speaking, lambda place: self._prepared(self.sources[place], past, to_micros(now)), {})
        added = np.zeros((len(numbers), len(self.sources)), dtype=np.float32)
        added[np.arange(len(numbers)), [_place(SourceName(int(source))) for source in sources]] = 1
        return reasons_for(self, query, past, self.contents.catalogue.rows_of(numbers), added, scorers)

    def eligible(self, query: Query, numbers: Numbers, *, now: datetime) -> npt.NDArray[np.bool_]:
        """Which of `numbers` may be shown now under all limits of `query`, the same shape."""
        rows = self.contents.catalogue.rows_of(numbers)
        mask = self.eligibility.allowed(query, now)
        return (rows >= 0) & mask[np.maximum(rows, 0)] if len(mask) else np.zeros(len(numbers), dtype=np.bool_)

    def numbers_of(self, item_ids: Sequence[str]) -> tuple[Numbers, list[str]]:
        """Numbers of the ids that this generation knows and that are not deleted, in order, and the other ids."""
        rows, deleted = self.contents.catalogue.rows_of_ids(item_ids).tolist(), self.eligibility.deleted
        known = [row for row in rows if row >= 0 and not deleted[row]]
        unknown = [item_id for item_id, row in zip(item_ids, rows, strict=True) if row < 0 or deleted[row]]
        return self.contents.catalogue.numbers[np.array(known, dtype=np.int64)], unknown

    def cards(self, numbers: Numbers) -> list[Card]:
        """What to show of `numbers`, in their order. Raises `NotFound` for a number that this generation does not have."""
        return self.contents.catalogue.cards(self.rows_of(numbers))

    def rows_of(self, numbers: Numbers) -> Rows:
        """Rows of `numbers`, in their order. Raises `NotFound` for a number that this generation does not have."""
        rows = self.contents.catalogue.rows_of(numbers)
        if len(rows) and rows.min() < 0:
            raise NotFound("item of number", str(numbers[rows < 0][0]), f"generation {self.generation_id} does not have it")
        return rows
