"""95 % intervals for ratios of sums whose terms are few and skewed, as weighted clicks are.

With forty weighted clicks in ten thousand rows the textbook interval, estimate ± 1.96 standard errors, holds the truth in some
90 % of logs and misses almost always below it: where chance brings few clicks, the estimate and its standard error are both too
small. Fay and Feuer (1997) give the exact remedy for a weighted sum of Poisson counts: a gamma distribution with the sum's mean
and variance, one more event at the upper end. Here the gamma is shifted so that it has the third moment of the terms as well,
which takes it from weighted counts to any mean or ratio, with terms of either sign; without skewness it is the normal interval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtri

from recommender.judging import Interval
from recommender.judging.intervals import CONFIDENCE

Floats = npt.NDArray[np.float64]

SYMMETRIC = 1e-4
"""Skewness of an estimate below which the gamma's shape, its inverse square, is so large that it is normal to six digits."""


def ratio_interval(numerator: Floats, denominator: Floats, cluster: npt.NDArray[np.generic] | None = None) -> Interval:
    """Σ `numerator` / Σ `denominator`, each of shape (m,), with its 95 % interval; Σ `denominator` must be above 0.

    A mean has ones as its denominator; a self-normalised one has its weights. The terms of a cluster are added up first. The ratio
    is linearised at its estimate (Taylor, "delta method"), so that its error is the mean of n terms e with variance s² and
    skewness γ. The estimate's standard error is s/√(n−1), widened by √(1 + 1/nₑ) for the noise in s itself, where
    nₑ = (Σe²)²/Σe⁴ is how many terms make up the variance; its skewness is a = γ/√n. The interval's ends are quantiles of gamma
    distributions of shape 1/a² (lower) and 1/a² + 1 (upper), of scale a·se, from the origin estimate − se/a (Fay and Feuer,
    Statistics in Medicine 16, 1997, for a weighted sum of counts, where that origin is 0); mirrored where a < 0.

    The ends are NaN where there is nothing to judge by: one cluster only, or terms that do not vary (no click at all).
    """
    if cluster is not None:
        _, number = np.unique(cluster, return_inverse=True)
        numerator, denominator = _sums(number, numerator), _sums(number, denominator)
    count = len(numerator)
    estimate = float(numerator.sum() / denominator.sum())
    error = (numerator - estimate * denominator) / denominator.mean()
    squared = error * error
    total = float(squared.sum())
    if count < 2 or total <= count * (1e-12 * max(1.0, abs(estimate))) ** 2:
        return Interval(estimate, float("nan"), float("nan"))
    effective = total**2 / float(squared @ squared)
    spread = float(np.sqrt(total / count / (count - 1) * (1 + 1 / effective)))
    skewness = float(squared @ error) / total**1.5
    return Interval(estimate, *_ends(estimate, spread, skewness))


def _sums(number: npt.NDArray[np.intp], terms: Floats) -> Floats:
    return np.asarray(np.bincount(number, terms), dtype=np.float64)


def _ends(estimate: float, spread: float, skewness: float) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    if abs(skewness) < SYMMETRIC:
        half = float(ndtri(1 - tail)) * spread
        return estimate - half, estimate + half
    shape, scale = skewness**-2, abs(skewness) * spread
    origin = estimate - spread / skewness
    near, far = float(gammaincinv(shape, tail)) * scale, float(gammaincinv(shape + 1, 1 - tail)) * scale
    return (origin + near, origin + far) if skewness > 0 else (origin - far, origin - near)
