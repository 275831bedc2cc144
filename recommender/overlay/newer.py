"""What changed in a store since a generation was built, as a delta to be laid over it.

Delta segments hold it with vectors, as far as they reach; what came after them is read from the store and shown by all but its text: an
item keeps the vector that it had, a new one has none until a segment brings it, unless it brought its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from recommender.engine import Recommender
from recommender.errors import RecommenderError
from recommender.segments import Delta, Loaded, Loans, Segments, merged
from recommender.store import Change, Store, StoredItem

MOST_UNEMBEDDED = 2_000
"""Items that are read from the store at a time, the newest, where no segment has them: many more are a case for the next generation."""

Numbers = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Read:
    """A `delta`, as of `change` of the store's sequence. `waiting`: by number, when each item was stored whose vector is not there yet.
    `refused`: why segments were left out. `left_out`: how many items were, since too many wait. `embedded`: up to which change all words
    are in the vectors."""

    delta: Delta
    change: int
    waiting: Mapping[int, datetime]
    refused: tuple[RecommenderError, ...] = ()
    left_out: int = 0
    embedded: int = 0


@dataclass(eq=False)
class Newer:
    """Reads what changed since one generation was built, anew when anything did. For one thread."""

    segments: Segments
    store: Store
    watermark: int
    _loaded: Loaded = field(default=Loaded((), ()), init=False)
    _of_segments: Delta | None = field(default=None, init=False)
    _seen: tuple[object, ...] = field(default=(), init=False)
    _kept: dict[int, StoredItem] = field(default_factory=dict, init=False)

    def read(self, engine: Recommender) -> Read | None:
        """What changed, to be laid over `engine`; None where that is what was read before. Raises what the store raises, and OSError."""
        upto = self.store.change_sequence()
        loaded = self.segments.load(self._loaded.segments)
        changes = self.store.catalogue_changes(max(self.watermark, loaded.last))
        seen = (tuple(segment.manifest.name for segment in loaded.segments), changes[-1].sequence if changes else 0)
        if seen == self._seen or (not self._seen and seen == ((), 0)):
            return None
        dimension = self.segments.base.dimension
        if self._of_segments is None or loaded.segments != self._loaded.segments:
            self._of_segments = loaded.delta(dimension)
        self._loaded = loaded
        newest = [change for change in changes if not change.is_deletion][-MOST_UNEMBEDDED:]
        stored = self._items(newest)
        vectors, loans, waiting = self._vectors(stored, newest, engine, dimension)
        removed = [change.number for change in changes if change.is_deletion]
        bare = Delta.of([(each.number, each.state, each.item) for each in stored], vectors, removed, dimension=dimension, loans=loans)
        self._seen = seen
        left_out = sum(not change.is_deletion for change in changes) - len(newest)
        embedded = max(self.watermark, loaded.last)
        return Read(merged([self._of_segments, bare]), max(upto, loaded.last), waiting, loaded.refused, left_out, embedded)

    def _items(self, changes: Sequence[Change]) -> list[StoredItem]:
        """The items of `changes` as they are now; what was read for the same change before is not read again."""
        asked = [
            change.number for change in changes if change.number not in self._kept or self._kept[change.number].change < change.sequence
        ]
        read = {each.number: each for each in self.store.get_items_by_number(asked)}
        there = {change.number: read.get(change.number) or self._kept.get(change.number) for change in changes}
        self._kept = {number: each for number, each in there.items() if each is not None}
        return list(self._kept.values())

    def _vectors(
        self, stored: Sequence[StoredItem], changes: Sequence[Change], engine: Recommender, dimension: int
    ) -> tuple[npt.NDArray[np.float32], Loans, dict[int, datetime]]:
        """The vectors of what no segment holds as it is now, zeros for none: an item's own, or those that it had in its present life. What
        was lent to it in a segment. And when those were stored that have no vector, though they have words."""
        assert self._of_segments is not None
        first = {change.number: change.first_change for change in changes}
        vectors, waiting = np.zeros((len(stored), dimension), dtype=np.float32), dict[int, datetime]()
        numbers = np.array([each.number for each in stored], dtype=np.uint32)
        rows = engine.contents.catalogue.rows_of(numbers)
        places = np.searchsorted(self._of_segments.numbers, numbers)
        lent = np.full(len(stored), -1)
        for at, each in enumerate(stored):
            own, place = each.item.embedding, int(places[at])
            in_segment = place < len(self._of_segments.numbers) and self._of_segments.numbers[place] == each.number
            if in_segment and first[each.number] <= self._loaded.last:
                lent[at] = place
            if own is not None and len(own) == dimension and np.any(own):
                vectors[at] = np.asarray(own, dtype=np.float32) / np.linalg.norm(own)
            elif lent[at] >= 0:
                vectors[at] = self._of_segments.vectors(np.array([place]))[0]
            elif rows[at] >= 0 and first[each.number] <= self.watermark:
                vectors[at] = engine.contents.vectors.gather(rows[at : at + 1])[0]
            elif own is None and (each.item.title.strip() or each.item.text.strip()):
                waiting[each.number] = each.updated_at
        return vectors, self._of_segments.loans.at(lent), waiting
