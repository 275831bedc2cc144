"""Sequence source: what comes next by a transformer that reads the history in its order (SASRec: Kang & McAuley, ICDM 2018)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.best import best_rows
from recommender.feeds import SourceName
from recommender.sequence_kernels import causes_of_falls
from recommender.sequence_model import SequenceModel
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, ByItems, Causes, Floats, Mask, NoFurther, Rows, sound

STRENGTH_POWER = np.float32(0.25)
"""A score is the chance to come next to this power: chances span many powers of ten, and a blend adds scores up.

Chances are as after a usual history (`SequenceModel.usual`): to divide them by their own sum would take a look at every item, and serves
people no better.
"""
CAUSES_TRIED, CAUSES_MOST = 4, 20
"""Events that are asked for as causes at once and in all; each costs a reading of the history without it."""
MOST = np.float32(60)
"""Scores above this count as this, so that their exponentials stay finite."""


class SequenceSource(ByItems):
    """`model` of the items; those that it did not learn are unknown to the source.

    A score is the chance among all learnt items to come next, to the power `STRENGTH_POWER`, so that it means the same for every
    history. Only events of positive weight are read.
    """

    name = SourceName.SEQUENCE
    scans = True

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    @property
    def known(self) -> Mask:
        """Which items were learnt, shape (n,)."""
        return self.model.known

    def prepare(self, past: Past, now: int) -> Foreseen:
        """Read the history."""
        return Foreseen(self.model, past, self.read(past))

    def read(self, past: Past) -> Mask:
        """Which events of a history are read, shape (h,)."""
        return past.positive & self.model.known[past.rows]


class Foreseen(NoFurther):
    """The sequence source made ready for a history."""

    def __init__(self, model: SequenceModel, past: Past, read: Mask) -> None:
        self._model = model
        self._length = len(past)
        self._places: npt.NDArray[np.int64] = np.flatnonzero(read)
        self._history = past.rows[self._places]
        self._reading = model.read(self._history) if len(self._history) else None

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        if self._reading is None:
            return np.zeros(0, dtype=np.int32)
        model = self._model
        logits = model.logits(self._reading.encoded)
        chances = np.exp(STRENGTH_POWER * np.minimum(logits - np.float32(model.usual), MOST))
        return best_rows(sound(np.where(model.known, chances, np.float32(0))), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        if self._reading is None:
            return np.full(len(rows), NO_OPINION)
        return sound(self._model.scores(rows, self._reading.encoded, MOST, STRENGTH_POWER))

    def causes(self, rows: Rows) -> Causes:
        """By how much an item's score falls when the history is read without an event.

        Events are asked for in the order in which they were attended to, until without some of them every row would fall. Where it
        rises whichever event is left out, the item is there for being popular, and those events are named that held it back least.
        """
        if self._reading is None:
            return Causes.none(len(rows))
        asked = np.argsort(-self._reading.attention, kind="stable")[:CAUSES_MOST]
        fallen, tried = np.empty((len(rows), len(asked)), dtype=np.float32), 0
        if len(self._history) == 1:
            fallen[:, 0], tried = np.where(self._model.known[rows], np.float32(1), NO_OPINION), 1
        while tried < len(asked):
            without = self._model.encode_without(self._reading, asked[tried : tried + CAUSES_TRIED])
            every = self._model.falls(self._reading, without, rows, fallen, tried)
            tried += len(without)
            if every:
                break
        return Causes(*causes_of_falls(np.ascontiguousarray(fallen[:, :tried]), self._places[asked[:tried]], self._length))
