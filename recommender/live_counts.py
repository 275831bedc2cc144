"""Popularity between two builds: what a generation counted, fading, and what people did since.

A sum of weights that halve with age needs no look at old events: all of it fades by the same factor, and new events are added at their own
age. Weights count from the newest event, as in a build, so that a quiet night makes nothing less popular.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recommender.engine import Recommender
from recommender.event_table import event_weights
from recommender.events import WITH_PORTION, Consent, EventType
from recommender.generation.contents import Contents
from recommender.sources import PopularSource
from recommender.times import DAY_US

Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.uint32]
Times = npt.NDArray[np.int64]

FLOOR = 1e-3
"""Share of its weight that an event keeps however old it is, so that a handful of new ones does not erase an old archive."""
KEPT_DAYS = 2
"""Days of which it is known who did what, so that doing it again counts once; later repetitions of what is older count again."""

_PAIR = np.dtype([("day", np.int64), ("person", np.uint32), ("item", np.uint32)])


@dataclass(eq=False)
class LiveCounts:
    """What was done since the build of `contents`, by item number; `table`: the weight of each type of event. For one thread.

    A person counts once per item and day (UTC), by the strongest event, as in a build; what they did on the day of the build before it is
    not looked at again.
    """

    contents: Contents
    table: Floats
    _numbers: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.uint32), init=False)
    _sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 0)), init=False)
    _pairs: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, dtype=_PAIR), init=False)
    _strongest: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32), init=False)
    _at: Times = field(default_factory=lambda: np.zeros(0, dtype=np.int64), init=False)
    _newest: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._newest = self._since = int(self.contents.counting[2])
        self._half_lives = DAY_US * self.contents.counting[:2]

    @property
    def counting(self) -> bool:
        """Whether the generation says how it counted."""
        return bool((self._half_lives > 0).all())

    def take(self, batch: pa.RecordBatch) -> None:
        """Add a batch of events, as `Store.iter_events` gives them; of those whose consent allows no training nothing is counted."""
        if not self.counting:
            return
        names = ("person", "item", "type", "value", "portion", "at", "consent")
        person, item, types, value, portion, at, consent = (batch.column(name).to_numpy(zero_copy_only=False) for name in names)
        values = np.where(np.isin(types, sorted(WITH_PORTION)), portion, value).astype(np.float32)
        weights = event_weights(types, values, self.table)
        kept = (weights > 0) & (types != EventType.IMPRESSION) & ((consent & Consent.TRAIN) == Consent.TRAIN)
        if not kept.any():
            return
        person, item, weights, at = person[kept], item[kept], weights[kept], at[kept]
        before, self._newest = self._newest, max(self._newest, int(at.max()))
        items, weights, at = self._replaced(person, item, weights, at)
        numbers, places = np.unique(np.concatenate([self._numbers, items]), return_inverse=True)
        sums = np.zeros((2, len(numbers)))
        old = places[: len(self._numbers)]
        for line, half_life in enumerate(self._half_lives):
            # All of it counts from the newest event: from the build on, years of a short half-life would be beyond all numbers.
            sums[line, old] = self._sums[line] * np.exp2((before - self._newest) / half_life)
            np.add.at(sums[line], places[len(old) :], weights * np.exp2((at - self._newest) / half_life))
        self._numbers, self._sums = numbers, sums

    def _replaced(self, person: Numbers, item: Numbers, weights: Floats, at: Times) -> tuple[Numbers, Floats, Times]:
        """Items, weights and times that are to be added so that of what a person did with an item on a day the strongest event counts, of
        equal ones the first: what counted before goes with the opposite sign."""
        pairs = np.empty(len(person), dtype=_PAIR)
        pairs["day"], pairs["person"], pairs["item"] = at // DAY_US, person, item
        known, places = np.unique(np.concatenate([self._pairs, pairs]), return_inverse=True)
        before, since = np.zeros(len(known), dtype=np.float32), np.zeros(len(known), dtype=np.int64)
        before[places[: len(self._pairs)]], since[places[: len(self._pairs)]] = self._strongest, self._at
        now, then = before.copy(), since.copy()
        # The last of each pair is its strongest, and of equal ones its earliest.
        order = np.lexsort((-at, weights))
        where = places[len(self._pairs) :][order]
        best, best_at = np.zeros(len(known), dtype=np.float32), np.zeros(len(known), dtype=np.int64)
        best[where], best_at[where] = weights[order], at[order]
        better = (best > before) | ((best == before) & (best > 0) & (best_at < since))
        now[better], then[better] = best[better], best_at[better]
        lately = known["day"] > int(known["day"].max()) - KEPT_DAYS
        self._pairs, self._strongest, self._at = known[lately], now[lately], then[lately]
        items = known["item"][better]
        signed = np.concatenate([now[better], -before[better]])
        return np.concatenate([items, items]), signed, np.concatenate([then[better], np.where(before > 0, since, then)[better]])

    def over(self, engine: Recommender, *, upto: int = -1) -> Recommender:
        """The `engine`, of the same generation, with popularity as of the newest event. `upto`: the sequence up to which they were
        taken."""
        if not len(self._numbers):
            return engine
        fading = np.exp2(-(self._newest - self._since) / self._half_lives)
        # As in a build, where events of years ago keep so much of their weight: at least that of what they had then.
        fading += (1 - fading) * FLOOR
        rows = engine.catalogue.rows_of(self._numbers)
        there = rows >= 0
        counted = []
        for line, base in enumerate((self.contents.popularity, self.contents.recent_popularity)):
            made = np.zeros(engine.catalogue.n, dtype=np.float32)
            np.multiply(base, np.float32(fading[line]), out=made[: len(base)])
            made[rows[there]] += self._sums[line, there].astype(np.float32)
            counted.append(made)
        # Nothing moves it, so that without further items it is that of the file, which processes share.
        response = self.contents.response
        if engine.catalogue.n > len(response):
            response = np.zeros(engine.catalogue.n, dtype=np.float32)
            response[: len(self.contents.response)] = self.contents.response
        popularity, recent = counted
        counted_engine = engine.with_counts(popularity, recent, response, upto=upto)
        # Sorted here, so that the first request with it need not do it.
        for source in counted_engine.sources:
            if isinstance(source, PopularSource):
                _ = source.order
        _ = counted_engine.facts.arrays
        return counted_engine
