"""Pools of candidates: what each source proposes for a history, what it says of all of them, and the blend of what they say."""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import numpy.typing as npt

from recommender.alike_lists import Alike
from recommender.feeds import PERSONAL_SOURCES, Query, SourceName
from recommender.fusion import contributions, ordered, ranked, united
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.kernels import below_infinity, bits_of_liked
from recommender.placements import HISTORY_BUCKETS
from recommender.profile import BuildSettings
from recommender.ranking import Pool
from recommender.ranking.blend import EVEN
from recommender.read_only import read_only
from recommender.recent_pasts import Pasts, RecentPasts
from recommender.served_sources import settings_of, sources_of
from recommender.sources import NO_OPINION, FreshSource, Past, Scorer, Source
from recommender.stages import reached
from recommender.times import to_micros

if TYPE_CHECKING:
    from recommender.overlay import OverlaidCatalogue

log = logging.getLogger(__name__)

DEADLINE_MARGIN_S = 0.01
"""A source is not started when less than this is left before the deadline."""


def place_of(name: SourceName) -> int:
    """Where a source stands in arrays over sources."""
    return int(name) - 1


CONTENT, POPULAR, FRESH = map(place_of, (SourceName.CONTENT, SourceName.POPULAR, SourceName.FRESH))
_GO_WITH = tuple(map(place_of, (SourceName.ITEM_ITEM, SourceName.CO_OCCURRENCE, SourceName.TRANSITIONS)))
"""Places of the sources that know what goes with what, the most telling first."""

_LASTING = PERSONAL_SOURCES - {SourceName.CONTENT}
"""Sources whose scorers never change: those of content remember how they found candidates."""

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
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


class Pools:
    """The sources of one generation, and how their candidates come together; shared by all threads."""

    def __init__(self, contents: Contents, settings: BuildSettings, generation_id: str) -> None:
        self.sources: tuple[Source, ...] = sources_of(contents, settings_of(contents, settings))
        self.pasts: Pasts = RecentPasts(contents.catalogue, settings)
        self._blend = contents.blend
        self._n = contents.catalogue.n
        self.catalogue: Catalogue | OverlaidCatalogue = contents.catalogue
        self._generation_id = generation_id

    def with_sources(self, others: Mapping[SourceName, Source]) -> Pools:
        """The same with `others` in the place of the sources of their names."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__)
        changed.sources = tuple(others.get(source.name, source) for source in self.sources)
        return changed

    def pool(self, query: Query, allowed: npt.NDArray[np.bool_], now: datetime, deadline: float | None, *, thorough: bool = False) -> Pool:
        """The candidates of `query` among the `allowed` rows, shape (n,); `thorough`: also from sources that look at every item.

        Sources that would start too near the `deadline`, a `time.monotonic()` value, are left out, and so are those that fail.
        """
        past = self.pasts.of(query)
        blend = self._blend
        learned = blend is not None and query.placement.blend == "learned"
        weights = self._weights(query, past, learned=learned)
        taking = weights.nonzero()[0].tolist()
        left_out: dict[int, str] = {}
        moment = to_micros(now)
        reached("history")

        def prepare(place: int) -> Scorer:
            made = self.prepared(self.sources[place], past, moment)
            reached("prepared", self.sources[place].name)
            return made

        scorers = self.worked(taking, prepare, left_out, deadline)

        proposing = list(scorers) if thorough else self._proposing(scorers)
        limit = query.placement.candidates
        if len(proposing) == 1:
            # What one source alone proposes is what fills the slate, and where nothing comes after its order, all that is asked for.
            limit = query.size if query.sources is not None else max(limit, query.size)

        def propose(place: int) -> Rows:
            found = scorers[place].candidates(allowed, limit)
            reached("candidates", self.sources[place].name)
            return found

        proposed = self.worked(proposing, propose, left_out, deadline)
        further = self.worked(
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

        scores = self.worked([place for place in scorers if place not in left_out], score, left_out)
        said = _stacked(scores, len(rows))
        if not below_infinity(said.ravel()):
            scores = self.worked(list(scores), sound, left_out)
            said = _stacked(scores, len(rows))
        places = np.array(list(scores), dtype=np.int64)
        scales = blend.scales if learned and blend is not None else EVEN
        strengths, source_ranks = ranked(said, scales[places], places, len(self.sources))
        if learned:
            if FRESH in scores:
                # Freshness needs no scaling: it lies in [0, 1] already, by each placement's half-life.
                strengths[:, FRESH] = np.where(scores[FRESH] > NO_OPINION, self.freshness(rows, query, now), 0)
            added = strengths * weights
        else:
            added = contributions(source_ranks, weights, query.placement.rank_constant)
            self._fade(added, rows, query, now)
        totals, order = ordered(added)
        reached("blend")
        answered = {place: scorers[place] for place in scores}
        return Pool(past, rows, strengths, source_ranks, weights, added, totals, order, learned, answered, left_out)

    def is_as_built(self, row: int) -> bool:
        """Whether all that lists say of the item at `row` holds: always, where nothing is laid over the generation."""
        return True

    def with_newer(self, found: Alike, query: Query, allowed: npt.NDArray[np.bool_]) -> Alike:
        """What was `found` on the list of what is like one item, joined by what has come since: nothing here."""
        return found

    def prepared(self, source: Source, past: Past, moment: int) -> Scorer:
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
        if CONTENT in scorers and sum(map(len, proposed.values())) < query.size:
            asked.append(CONTENT)
        return asked

    def _proposing(self, scorers: Mapping[int, Scorer]) -> list[int]:
        """Which of the sources propose candidates: those that look at every item only where no personal one is there that need not."""
        others = [place for place in scorers if not self.sources[place].scans]
        return others if any(self.sources[place].name in PERSONAL_SOURCES for place in others) else list(scorers)

    def _weights(self, query: Query, past: Past, *, learned: bool) -> Floats:
        """Weight of each source, shape (s,), by the length of the history. A weight of 0 leaves the source out."""
        bucket = bisect_right(HISTORY_BUCKETS, len(past.liked)) - 1
        blend = self._blend
        if blend is not None and learned:
            weights: Floats = blend.weights[bucket].copy()
        else:
            given = [getattr(query.placement.weights, source.name.key)[bucket] for source in self.sources]
            weights = np.array(given, dtype=np.float32)
        if query.sources is not None:
            weights = np.where(_named(query.sources), np.where(weights > 0, weights, np.float32(1)), np.float32(0))
        places = weights.nonzero()[0].tolist()
        liked = int(bits_of_liked(self._known_by, past.rows, past.weights))
        for place in places:
            if not (self.sources[place].has_opinion(past) if self.sources[place].known is None else liked >> place & 1):
                weights[place] = 0
        return weights

    @cached_property
    def _known_by(self) -> npt.NDArray[np.uint16]:
        """Which of the sources know each item, shape (n,), a bit at the place of each: one look at an item tells of all."""
        known_by = np.zeros(self._n, dtype=np.uint16)
        for place, source in enumerate(self.sources):
            known = source.known
            if known is not None:
                known_by |= known.astype(np.uint16) << np.uint16(place)
        return known_by

    def freshness(self, rows: Rows, query: Query, now: datetime) -> Floats:
        """How fresh each candidate is by the placement's half-life, shape as `rows` (m,), in [0, 1]."""
        source = self.sources[FRESH]
        assert isinstance(source, FreshSource)
        half_lives = query.placement.half_lives
        # Most placements have one for all kinds.
        hours = half_lives[0] if len(set(half_lives)) == 1 else np.array(half_lives)[self.catalogue.kinds_at(rows)]
        return source.decay(rows, to_micros(now), hours)

    def worked(
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
                log.exception("source failed", extra={"source": self.sources[place].name.key, "generation_id": self._generation_id})
                left_out[place] = "failed"
        return made

    def _fade(self, added: Floats, rows: Rows, query: Query, now: datetime) -> None:
        """Let what freshness adds fade with the age of the item."""
        if added[:, FRESH].any():
            added[:, FRESH] *= self.freshness(rows, query, now)
