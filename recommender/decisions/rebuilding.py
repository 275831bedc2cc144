"""The engine and the query of a served record, as they were when it was decided.

A generation never changes. What was beside it is put together again: changes of the catalogue up to the record's, new items as of the
same moment, events counted as far as they were. Where the store knows no more how something was, `inexact` says so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from recommender.engine import Recommender
from recommender.errors import CorruptGeneration, Gone, NotFound
from recommender.feeds import Query
from recommender.generation import Generation, Generations
from recommender.live_counts import LiveCounts
from recommender.overlay.newer import Newer
from recommender.segments import Base, Segments
from recommender.served_query import AS_BUILT, MadeWith, decode_served
from recommender.store import Change, Decision, Store
from recommender.times import from_micros

KEPT = 2
"""Generations that are kept loaded."""


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """What a decision was made from: `engine`, `query`, and `now`. `inexact`: what may differ from how it was, in words."""

    engine: Recommender
    query: Query
    now: datetime
    inexact: tuple[str, ...] = ()


@dataclass(eq=False)
class _Loaded:
    """One generation: its engine as built, and the one that was last put together from it, with events `counted` and items `overlaid`."""

    generation: Generation
    built: Recommender
    watermark: int
    counts: LiveCounts
    taken: int
    last: tuple[tuple[int, int], Recommender, tuple[str, ...]] | None = field(default=None)


class Rebuilder:
    """Puts together what decisions were made from. Safe for many threads, one at a time."""

    def __init__(self, store: Store, generations: Generations, deltas: Path) -> None:
        self._store = store
        self._generations = generations
        self._deltas = deltas
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def rebuilt(self, decision: Decision) -> Rebuilt:
        """Raises `Gone` where the record holds no query, or its generation is kept no longer or cannot be read."""
        if not decision.query:
            why = "the person did not allow to be counted, or it is a list of what they did"
            raise Gone(f"the record of the decision does not say what was asked: {why}")
        query, made = decode_served(decision.query)
        inexact: list[str] = []
        if made is None:
            made = AS_BUILT
            inexact.append("a server of a release before, which did not note up to when events and new items counted")
        if made.left_out:
            inexact.append(f"left out for want of time or because they failed: {', '.join(made.left_out)}")
        if query.trend is not None:
            inexact.append("it goes by a trend, whose counts are not kept")
        if query.placement.goes_by_chance:
            query = replace(query, seed=decision.seed)
        with self._lock:
            loaded = self._of(decision.generation_id)
            engine, more = self._beside(loaded, made)
            changes = self._store.catalogue_changes(loaded.watermark)
        later = [change for change in changes if change.sequence > decision.change and change.first_change <= decision.change]
        if later:
            inexact.append(f"{len(later)} items changed after it, of which it is not known how they were before")
        engine = engine.with_changes([change for change in changes if change.sequence <= decision.change], decision.change)
        return Rebuilt(engine, query, from_micros(made.at) if made.at else decision.at, (*inexact, *more))

    def _of(self, generation_id: str) -> _Loaded:
        if generation_id in self._loaded:
            self._loaded.move_to_end(generation_id)
            return self._loaded[generation_id]
        try:
            generation = self._generations.load(generation_id)
        except NotFound as error:
            raise Gone(f"generation {generation_id}, which decided, is not kept any more") from error
        except CorruptGeneration as error:
            raise Gone(f"generation {generation_id}, which decided, cannot be read: {error}") from error
        watermark = generation.manifest.watermark
        loaded = _Loaded(generation, Recommender.of(generation), watermark, _counts_of(generation), watermark)
        self._loaded[generation_id] = loaded
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return loaded

    def _beside(self, loaded: _Loaded, made: MadeWith) -> tuple[Recommender, tuple[str, ...]]:
        """The engine of a generation with new items and events as far as they counted, and what of it may differ."""
        wanted = made.counted, made.overlaid
        if loaded.last is None or loaded.last[0] != wanted:
            engine, inexact = loaded.built, tuple[str, ...]()
            if made.overlaid >= 0:
                engine, inexact = self._overlaid(loaded, made.overlaid)
            if made.counted >= 0:
                engine = self._counted(loaded, engine, made.counted)
            loaded.last = wanted, engine, inexact
        return loaded.last[1], loaded.last[2]

    def _counted(self, loaded: _Loaded, engine: Recommender, upto: int) -> Recommender:
        if upto < loaded.taken:
            loaded.counts, loaded.taken = _counts_of(loaded.generation), loaded.watermark
        for batch in self._store.iter_events(since=loaded.taken, upto=upto):
            loaded.counts.take(batch)
        loaded.taken = upto
        return loaded.counts.over(engine, upto=upto)

    def _overlaid(self, loaded: _Loaded, upto: int) -> tuple[Recommender, tuple[str, ...]]:
        segments = Segments(self._deltas, Base.of(loaded.generation.manifest))
        read = Newer(segments, self._store, loaded.watermark).read(loaded.built)
        if read is None:
            return loaded.built, ("new items were laid over the generation, and none are there any more",)
        changes = {change.number: change for change in self._store.catalogue_changes(loaded.watermark)}
        there = [number for number in read.delta.numbers.tolist() if _was_there(changes.get(number), upto)]
        since = [number for number in there if number in changes and changes[number].sequence > upto]
        inexact = (f"{len(since)} new or changed items have been changed again since",) if since else ()
        return loaded.built.with_overlay(read.delta.among(np.array(there, dtype=np.uint32)), upto, []), inexact


def _was_there(change: Change | None, upto: int) -> bool:
    return change is None or change.first_change <= upto


def _counts_of(generation: Generation) -> LiveCounts:
    return LiveCounts(generation.contents, generation.settings.event_weights.table())


def sorted_for_rebuilding(decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions in the order in which fewest generations are loaded and events counted."""
    return sorted(decisions, key=lambda decision: (decision.generation_id, decision.at))
