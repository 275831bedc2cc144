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
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, best_rows, ranked_causes


class CollaborativeSource:
    """Item `factors`, shape (n, f), float32; items with all-zero factors are unknown to it."""

    name = SourceName.COLLABORATIVE

    def __init__(self, factors: npt.NDArray[np.float32], settings: Collaborative) -> None:
        self.factors = factors
        self.settings = settings

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
        useful = (batch.weights > 0) & self.known[batch.rows]
        return np.diff(np.concatenate([[0], np.cumsum(useful)])[batch.offsets]) > 0

    def prepare(self, batch: Batch, now: int) -> _FoldedIn:
        """Fold every history in: one (f, f) solve each."""
        return _FoldedIn(self, batch)


class _FoldedIn:
    def __init__(self, source: CollaborativeSource, batch: Batch) -> None:
        self._source = source
        self._batch = batch
        weights = batch.decayed(source.settings.history_decay)
        places, real = batch.padded()
        self._confidence = np.where(real, source.settings.alpha * np.abs(weights)[places], 0).astype(np.float32) if len(weights) else None
        if self._confidence is None:
            self._factors = np.zeros((batch.size, source.factors.shape[1]), dtype=np.float32)
            return
        liked = np.where(real & (weights[places] > 0), self._confidence, 0).astype(np.float32)
        history = source.factors[batch.rows[places]]
        weighted = history * np.where(real, self._confidence - 1, 0).astype(np.float32)[:, :, None]
        self._normal = source.gram + np.matmul(history.transpose(0, 2, 1), weighted)
        target = np.matmul(history.transpose(0, 2, 1), liked[:, :, None])
        self._factors = np.linalg.solve(self._normal, target)[:, :, 0].astype(np.float32)

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        scores = self._factors @ self._source.factors.T
        return best_rows(np.where(self._source.known & (scores > 0), scores, NO_OPINION), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        scores = np.matmul(self._source.factors[rows], self._factors[:, :, None])[:, :, 0]
        return np.where(self._source.known[rows] & (scores > 0), scores, NO_OPINION)

    def causes(self, query: int, rows: Rows) -> list[Cause]:
        """The score is linear in the liked items: y·x = Σ_j y·A⁻¹y_j · c_j (Hu, Koren, Volinsky 2008, section 5)."""
        part = self._batch.part(query)
        weights = self._batch.decayed(self._source.settings.history_decay)[part]
        confidence = np.where(weights > 0, self._source.settings.alpha * weights, 0).astype(np.float32)
        history = self._source.factors[self._batch.rows[part]]
        pulled = np.linalg.solve(self._normal[query], history.T).astype(np.float32)
        return ranked_causes((self._source.factors[rows] @ pulled) * confidence)
