"""Graph source: a low-pass filter over who consumed what (GF-CF: Shen et al., CIKM 2021), from leading singular vectors.

A history is a signal on the items; the filter keeps what varies slowly over the graph of items that share people. Given the
item side of the spectrum, it is a function of the history alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recommender.best import best_rows
from recommender.feeds import SourceName
from recommender.graph_filter import ItemSpectrum
from recommender.half_kernels import dots_of, dots_of_all
from recommender.halves import halved, widened
from recommender.kernels import above_zero
from recommender.sources.past import Past
from recommender.sources.source import ByItems, Causes, Floats, Mask, NoFurther, Rows, ranked_causes, sound


class GraphSource(ByItems):
    """`spectrum` of the items, whose `vectors` are kept in half precision; items outside of it are unknown to the source."""

    name = SourceName.GRAPH
    scans = True

    def __init__(self, spectrum: ItemSpectrum, history_decay: float) -> None:
        self.spectrum = spectrum
        self.vectors = halved(spectrum.vectors)
        self.history_decay = history_decay

    @cached_property
    def known(self) -> Mask:
        """Which rows were learnt, shape (n,)."""
        known: Mask = np.asarray(self.spectrum.into > 0) if len(self.spectrum.gains) else np.zeros(len(self.spectrum.into), dtype=np.bool_)
        return known

    def prepare(self, past: Past, now: int) -> Filtered:
        """Bring the history into the spectrum."""
        return Filtered(self, past)


class Filtered(NoFurther):
    """The graph source made ready for a history."""

    def __init__(self, source: GraphSource, past: Past) -> None:
        self._spectrum, self._vectors = source.spectrum, source.vectors
        self._history = past.rows
        self._weights = past.decayed(source.history_decay)
        strength: Floats = self._weights * self._spectrum.into[past.rows]
        signal: Floats = strength @ widened(self._vectors, past.rows)
        self._signal: Floats = signal * self._spectrum.gains

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        scores: Floats = dots_of_all(self._vectors, self._signal) * self._spectrum.out_of
        return best_rows(sound(scores), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores: Floats = dots_of(self._vectors, rows, self._signal) * self._spectrum.out_of[rows]
        return above_zero(scores)

    def causes(self, rows: Rows) -> Causes:
        """The score is linear in the history: each event's part is its own signal's."""
        history = self._history
        liked = np.maximum(self._weights, 0) * self._spectrum.into[history]
        likeness = (widened(self._vectors, rows) * self._spectrum.gains) @ widened(self._vectors, history).T
        return ranked_causes((likeness * liked).astype(np.float32))
