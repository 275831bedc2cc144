"""Graph source: a low-pass filter over who consumed what (GF-CF: Shen et al., CIKM 2021), from leading singular vectors.

A history is a signal on the items; the filter keeps what varies slowly over the graph of items that share people. Given the
item side of the spectrum, it is a function of the history alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recommender.feeds import SourceName
from recommender.graph_filter import ItemSpectrum
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_of, ranked_causes, sound


class GraphSource:
    """`spectrum` of the items; items outside of it are unknown to the source."""

    name = SourceName.GRAPH

    def __init__(self, spectrum: ItemSpectrum, history_decay: float) -> None:
        self.spectrum = spectrum
        self.history_decay = history_decay

    @cached_property
    def known(self) -> Mask:
        """Which rows were learnt, shape (n,)."""
        known: Mask = np.asarray(self.spectrum.into > 0) if len(self.spectrum.gains) else np.zeros(len(self.spectrum.into), dtype=np.bool_)
        return known

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one learnt item of positive weight."""
        return batch.counts(batch.positive & self.known[batch.rows]) > 0

    def prepare(self, batch: Batch, now: int) -> _Filtered:
        """Bring every history into the spectrum."""
        return _Filtered(self, batch)


class _Filtered:
    """Histories are worked on one by one: sums in other shapes round otherwise, and a batch must equal its single queries."""

    def __init__(self, source: GraphSource, batch: Batch) -> None:
        self._spectrum = source.spectrum
        self._batch = batch
        self._weights = batch.decayed(source.history_decay)
        self._signals = np.zeros((batch.size, len(source.spectrum.gains)), dtype=np.float32)
        for query in range(batch.size):
            part = batch.part(query)
            rows = batch.rows[part]
            strength = self._weights[part] * self._spectrum.into[rows]
            self._signals[query] = (strength @ self._spectrum.vectors[rows]) * self._spectrum.gains

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        found = np.full((self._batch.size, limit), -1, dtype=np.int32)
        for query, signal in enumerate(self._signals):
            scores = sound((self._spectrum.vectors @ signal) * self._spectrum.out_of)
            rows = np.flatnonzero(allowed[query] & (scores > 0)).astype(np.int32)
            best = best_of(rows, scores[rows], limit)
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        scores = np.full(rows.shape, NO_OPINION, dtype=np.float32)
        for query, signal in enumerate(self._signals):
            real = rows[query][rows[query] >= 0]
            scores[query, : len(real)] = (self._spectrum.vectors[real] @ signal) * self._spectrum.out_of[real]
        return np.where(sound(scores) > 0, scores, NO_OPINION)

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """The score is linear in the history: each event's part is its own signal's."""
        part = self._batch.part(query)
        history = self._batch.rows[part]
        liked = np.maximum(self._weights[part], 0) * self._spectrum.into[history]
        likeness = (self._spectrum.vectors[rows] * self._spectrum.gains) @ self._spectrum.vectors[history].T
        return ranked_causes((likeness * liked).astype(np.float32))
