"""Sequence source: what comes next by a transformer that reads the history in its order (SASRec: Kang & McAuley, ICDM 2018)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.feeds import SourceName
from recommender.sequence_model import SequenceModel
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_of, ranked_causes, sound

STRENGTH_POWER = np.float32(0.25)
"""A score is the chance to come next to this power: chances span many powers of ten, and a blend adds scores up."""
CHUNK_CELLS = 2**21
"""Scores of all items are worked out for so many histories at a time that there are no more of them, or for one."""
CAUSES_TRIED = 20
"""Newest events that are asked for as causes; each costs a reading of the history without it."""


class SequenceSource:
    """`model` of the items; those that it did not learn are unknown to the source.

    A score is the chance among all learnt items to come next, to the power `STRENGTH_POWER`, so that it means the same for every
    history. Only events of positive weight are read.
    """

    name = SourceName.SEQUENCE

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one learnt item of positive weight."""
        return batch.counts(self._read(batch)) > 0

    def prepare(self, batch: Batch, now: int) -> _Foreseen:
        """Read every history and score all learnt items."""
        return _Foreseen(self.model, batch, self._read(batch))

    def _read(self, batch: Batch) -> Mask:
        """Which events of the histories are read, a flat array."""
        return batch.positive & self.model.known[batch.rows]


class _Foreseen:
    """Histories are worked on one by one: sums in other shapes round otherwise, and a batch must equal its single queries."""

    def __init__(self, model: SequenceModel, batch: Batch, read: Mask) -> None:
        self._model = model
        self._batch = batch
        self._read = read
        self._scores = np.zeros((batch.size, batch.n), dtype=np.float32)
        for query in range(batch.size):
            history = self._history(query)[1]
            if len(history):
                self._scores[query] = np.exp(STRENGTH_POWER * self._log_chances([history])[0])

    def _history(self, query: int) -> tuple[npt.NDArray[np.int64], Rows]:
        """The places in a history that are read, and the rows that stand there."""
        part = self._batch.part(query)
        places = np.flatnonzero(self._read[part])
        return places, self._batch.rows[part][places]

    def _log_chances(self, histories: list[Rows]) -> Floats:
        """Logarithm of the chance of every item to come next after each of k histories, shape (k, n); -inf for what was not learnt."""
        model = self._model
        encoded = np.stack([model.encode(history) for history in histories])
        logits = np.where(model.known, (model.items @ encoded.T).T + model.bias, NO_OPINION)
        most = logits.max(axis=1, keepdims=True)
        chances: Floats = logits - (most + np.log(np.exp(logits - most).sum(axis=1, keepdims=True)))
        return chances

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        found = np.full((self._batch.size, limit), -1, dtype=np.int32)
        for query, scores in enumerate(sound(self._scores)):
            rows = np.flatnonzero(allowed[query] & (scores > 0)).astype(np.int32)
            best = best_of(rows, scores[rows], limit)
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        scores = self._scores[np.arange(self._batch.size)[:, None], rows]
        return np.where((rows >= 0) & (sound(scores) > 0), scores, NO_OPINION)

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """By how much the logarithm of an item's chance falls when the history is read without an event, for the newest `CAUSES_TRIED`.

        Where the chance rises whichever event is left out, the item is there for being popular, and those events are named that held it
        back least.
        """
        places, history = self._history(query)
        part = self._batch.part(query)
        falls = np.zeros((len(rows), part.stop - part.start), dtype=np.float32)
        known = self._model.known[rows]
        tried = np.arange(len(history))[-CAUSES_TRIED:]
        if len(history) == 1:
            falls[known, places[0]] = 1
        elif len(history):
            asked = rows[known]
            others = [np.delete(history, place) for place in tried]
            together = max(1, CHUNK_CELLS // self._batch.n)
            parts = [self._log_chances(others[start : start + together])[:, asked] for start in range(0, len(others), together)]
            fall = (self._log_chances([history])[:, asked] - np.concatenate(parts)).T
            fall = np.where((fall > 0).any(axis=1, keepdims=True), fall, np.exp(np.minimum(fall, 0)))
            falls[np.ix_(known, places[tried])] = fall
        return ranked_causes(falls)
