"""Collaborative source: low-rank item factors with exact fold-in of the history.

The factors come from implicit-feedback ALS (Hu, Koren, Volinsky, ICDM 2008). A person's vector is one half-step of the same
ALS, solved exactly: x = (YᵀY + Yuᵀ(C − I)Yu + λI)⁻¹ Yuᵀ C p, with confidence C = alpha · |weight| and preference p = 1 for
positive and 0 for negative weights.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.feeds import SourceName
from recommender.profile import Collaborative
from recommender.sources.batch import Batch
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_of, ranked_causes, sound


class CollaborativeSource:
    """Item `factors`, shape (n, f), float32; items with all-zero factors are unknown to it. `confidence`: the alpha that one
    unit of weight adds, as in training."""

    name = SourceName.COLLABORATIVE

    def __init__(self, factors: npt.NDArray[np.float32], settings: Collaborative, confidence: float) -> None:
        self.factors = factors
        self.settings = settings
        self.confidence = np.float32(confidence)

    @cached_property
    def known(self) -> Mask:
        """Which rows were learnt, shape (n,)."""
        known: Mask = np.any(self.factors != 0, axis=1)
        return known

    @cached_property
    def gram(self) -> Floats:
        """YᵀY + λI, shape (f, f)."""
        f = self.factors.shape[1]
        gram: Floats = self.factors.T @ self.factors + np.float32(self.settings.regularisation) * np.eye(f, dtype=np.float32)
        return gram

    def has_opinion(self, batch: Batch) -> Mask:
        """Histories with at least one learnt item of positive weight."""
        return batch.counts(batch.positive & self.known[batch.rows]) > 0

    def prepare(self, batch: Batch, now: int) -> _FoldedIn:
        """Fold every history in: one (f, f) solve each."""
        return _FoldedIn(self, batch)


class _FoldedIn:
    """Histories are worked on one by one: sums in other shapes round otherwise, and a batch must equal its single queries."""

    def __init__(self, source: CollaborativeSource, batch: Batch) -> None:
        self._source = source
        self._batch = batch
        # Signed: negative where an event speaks against its item.
        self._confidence = source.confidence * batch.decayed(source.settings.history_decay)
        self._normals: list[Floats] = []
        self._vectors = np.zeros((batch.size, source.factors.shape[1]), dtype=np.float32)
        for query in range(batch.size):
            part = batch.part(query)
            history, confidence = source.factors[batch.rows[part]], self._confidence[part]
            normal = source.gram + history.T @ (history * (np.abs(confidence) - 1)[:, None])
            self._normals.append(normal)
            self._vectors[query] = np.linalg.solve(normal, history.T @ np.maximum(confidence, 0))

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        found = np.full((self._batch.size, limit), -1, dtype=np.int32)
        for query, vector in enumerate(self._vectors):
            scores = sound(self._source.factors @ vector)
            rows = np.flatnonzero(allowed[query] & (scores > 0)).astype(np.int32)
            best = best_of(rows, scores[rows], limit)
            found[query, : len(best)] = best
        return found

    def score(self, rows: Rows) -> Floats:
        scores = np.full(rows.shape, NO_OPINION, dtype=np.float32)
        for query, vector in enumerate(self._vectors):
            real = rows[query][rows[query] >= 0]
            scores[query, : len(real)] = self._source.factors[real] @ vector
        return np.where(sound(scores) > 0, scores, NO_OPINION)

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """The score is linear in the liked items: y·x = Σ_j y·A⁻¹y_j · c_j (Hu, Koren, Volinsky 2008, section 5)."""
        part = self._batch.part(query)
        history = self._source.factors[self._batch.rows[part]]
        pulled = np.linalg.solve(self._normals[query], history.T).astype(np.float32)
        return ranked_causes((self._source.factors[rows] @ pulled) * np.maximum(self._confidence[part], 0))
