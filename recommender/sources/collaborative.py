"""Collaborative source: low-rank item factors with exact fold-in of the history.

The factors come from implicit-feedback ALS (Hu, Koren, Volinsky, ICDM 2008). A person's vector is one half-step of the same
ALS, solved exactly: x = A⁻¹ Yuᵀ C p with A = YᵀY + λI + Yuᵀ(C − I)Yu, confidence C = alpha · |weight| and preference p = 1 for
positive and 0 for negative weights.

Few items of a history change A by little, so it is never formed: with B = (YᵀY + λI)⁻¹ = L Lᵀ, made once, the identity of Woodbury
leaves one system of as many equations as the history has items. Everything that is asked for are products through B, so that of the
factors only W = Y L is kept.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from recommender.best import best_rows
from recommender.cause_kernels import causes_of_factors
from recommender.compiling import reordered
from recommender.feeds import SourceName
from recommender.half_kernels import dots_of, dots_of_all
from recommender.halves import halved, nonzero_rows, widened
from recommender.kernels import above_zero
from recommender.linear_kernels import eliminate, lines_of, solve
from recommender.profile import Collaborative
from recommender.sources.past import Past
from recommender.sources.source import ByItems, Causes, Floats, Mask, NoFurther, Rows, sound
from recommender.vector_kernels import add_to


def whitened(factors: Floats, regularisation: float) -> Floats:
    """Y L of the module's text, shape (n, f), for `factors` Y; zero rows stay zero."""
    inverse = np.linalg.inv((factors.T @ factors).astype(np.float64) + regularisation * np.eye(factors.shape[1]))
    white: Floats = factors @ np.linalg.cholesky(inverse).astype(np.float32)
    return white


class CollaborativeSource(ByItems):
    """Item `factors`, `whitened`, shape (n, f), kept in half precision; items with all-zero factors are unknown to it. `confidence`: the
    alpha that one unit of weight adds, as in training."""

    name = SourceName.COLLABORATIVE
    scans = True

    def __init__(self, factors: Floats, settings: Collaborative, confidence: float) -> None:
        self.factors = halved(factors)
        self.settings = settings
        self.confidence = np.float32(confidence)

    @cached_property
    def known(self) -> Mask:
        """Which rows were learnt, shape (n,)."""
        return nonzero_rows(self.factors)

    def prepare(self, past: Past, now: int) -> FoldedIn:
        """Fold the history in."""
        return FoldedIn(self, past)


class FoldedIn(NoFurther):
    """The collaborative source made ready for a history.

    With D = C − I, G = Wu Wuᵀ and S = I + D G: the score of item i is w_i · Wuᵀ S⁻¹ c, so that nothing larger than (h, h) is solved.
    """

    def __init__(self, source: CollaborativeSource, past: Past) -> None:
        self._source = source
        # Signed: negative where an event speaks against its item. Items of no factors change nothing.
        self._confidence = source.confidence * past.decayed(source.settings.history_decay)
        if len(source.factors) != past.n:
            raise ValueError(f"factors of {len(source.factors)} items, where there are {past.n}")
        self._history = widened(source.factors, past.rows)
        self._system, self._vector = _folded(self._history, self._confidence)

    def candidates(self, allowed: Mask, limit: int) -> Rows:
        """See `Scorer`."""
        return best_rows(sound(dots_of_all(self._source.factors, self._vector)), allowed, limit)

    def score(self, rows: Rows) -> Floats:
        """See `Scorer`."""
        return above_zero(dots_of(self._source.factors, rows, self._vector))

    def causes(self, rows: Rows) -> Causes:
        """The score is linear in the liked items: y·x = Σ_j y·A⁻¹y_j · c_j (Hu, Koren, Volinsky 2008, section 5)."""
        return Causes(*causes_of_factors(self._system, self._history, self._confidence, self._source.factors, rows))


@reordered
def _folded(history: Floats, confidence: Floats) -> tuple[Floats, Floats]:
    """S = I + D G, shape (h, h), and Wuᵀ S⁻¹ c, shape (f,), of a history's factors, shape (h, f), and their signed `confidence`, shape
    (h,)."""
    h, size = history.shape
    system, lines = np.empty((h, h), dtype=np.float32), lines_of(h, 1)
    for one in range(h):
        own = history[one]
        for other in range(one + 1):
            another, product = history[other], np.float32(0)
            for factor in range(size):
                product += own[factor] * another[factor]
            system[one, other] = product
            system[other, one] = product
    for one in range(h):
        more = abs(confidence[one]) - np.float32(1)
        for other in range(h):
            system[one, other] *= more
        system[one, one] += np.float32(1)
        for other in range(h):
            lines[one, other] = system[one, other]
        lines[one, h] = max(confidence[one], np.float32(0))
    eliminate(lines)
    solved, vector = np.empty(lines.shape[1], dtype=np.float32), np.zeros(size, dtype=np.float32)
    solve(lines, 0, solved)
    for one in range(h):
        add_to(vector, solved[one], history[one])
    return system, vector
