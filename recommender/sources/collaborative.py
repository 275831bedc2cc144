"""Collaborative source: low-rank item factors with exact fold-in of the history.

The factors come from implicit-feedback ALS (Hu, Koren, Volinsky, ICDM 2008). A person's vector is one half-step of the same
ALS, solved exactly: x = A⁻¹ Yuᵀ C p with A = YᵀY + λI + Yuᵀ(C − I)Yu, confidence C = alpha · |weight| and preference p = 1 for
positive and 0 for negative weights.

Few items of a history change A by little, so it is never formed: with B = (YᵀY + λI)⁻¹, made once, the identity of Woodbury leaves
one system of as many equations as the history has items.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.feeds import SourceName
from recommender.kernels import best_rows
from recommender.profile import Collaborative
from recommender.sources.past import Past
from recommender.sources.source import NO_OPINION, Cause, Floats, Mask, Rows, ranked_causes, sound


class CollaborativeSource:
    """Item `factors`, shape (n, f), float32; items with all-zero factors are unknown to it. `confidence`: the alpha that one
    unit of weight adds, as in training."""

    name = SourceName.COLLABORATIVE
    scans = True

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
    def inverse(self) -> Floats:
        """(YᵀY + λI)⁻¹, shape (f, f)."""
        f = self.factors.shape[1]
        gram = self.factors.T @ self.factors
        inverse: Floats = np.linalg.inv(gram.astype(np.float64) + self.settings.regularisation * np.eye(f)).astype(np.float32)
        return inverse

    def has_opinion(self, past: Past) -> bool:
        """Whether any learnt item has positive weight."""
        return bool((past.positive & self.known[past.rows]).any())

    def prepare(self, past: Past, now: int) -> FoldedIn:
        """Fold the history in."""
        return FoldedIn(self, past)


class FoldedIn:
    """The collaborative source made ready for a history.

    With Z = Yu B, D = C − I and S = I + D Z Yuᵀ: A⁻¹ Yuᵀ = Zᵀ S⁻¹, so that nothing larger than (h, h) has to be solved.
    """

    def __init__(self, source: CollaborativeSource, past: Past) -> None:
        self._source = source
        # Signed: negative where an event speaks against its item. Items of no factors change nothing.
        self._confidence = source.confidence * past.decayed(source.settings.history_decay)
        history = source.factors[past.rows]
        self._reached = history @ source.inverse
        system = (self._reached @ history.T) * (np.abs(self._confidence) - 1)[:, None]
        system[np.diag_indices(len(system))] += 1
        self._system = system
        self._vector = np.linalg.solve(system, np.maximum(self._confidence, 0)) @ self._reached

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return best_rows(sound(self._source.factors @ self._vector), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        scores = sound(self._source.factors[rows] @ self._vector)
        return np.where(scores > 0, scores, NO_OPINION)

    def causes(self, rows: Rows) -> list[Cause]:
        """The score is linear in the liked items: y·x = Σ_j y·A⁻¹y_j · c_j (Hu, Koren, Volinsky 2008, section 5)."""
        pulled = np.linalg.solve(self._system.T, self._reached).astype(np.float32)
        return ranked_causes((self._source.factors[rows] @ pulled.T) * np.maximum(self._confidence, 0))
