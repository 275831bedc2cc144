"""From the ranker's scores to probabilities: Platt scaling, and how far probabilities are from what happened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput

LEAST_SLOPE = 1e-6
"""Per standard deviation of the scores: a higher score is never less likely, even where the data say so."""
ROUNDS = 100
PRECISION = 1e-10

Values = npt.NDArray[np.float64]


def platt(scores: npt.NDArray[np.floating], taken: npt.NDArray[np.bool_]) -> Values:
    """Slope a > 0 and offset b, shape (2,), such that a score s means probability 1 / (1 + exp(−(a·s + b))) of being taken up.

    `scores`: shape (n,), of candidates that the ranker was not trained on; `taken`: shape (n,), bool. They maximise the
    likelihood of smoothed answers: (p + 1) / (p + 2) for each of p taken candidates, 1 / (r + 2) for each of r others (Platt,
    Advances in Large Margin Classifiers, 1999), by Newton's method with halved steps (Lin, Lin and Weng, Machine Learning 2007).
    Where the best slope is not positive the least one is taken, with the offset that fits it best: the order of the scores is
    kept always. Scores that are all alike all get the mean answer. Raises `InvalidInput` for no scores, scores that are not
    finite, and as many answers as there are not scores.
    """
    _check("scores", scores, taken)
    positives = int(np.count_nonzero(taken))
    answers = np.where(taken, (positives + 1) / (positives + 2), 1 / (len(taken) - positives + 2))
    exact = scores.astype(np.float64)
    mean, spread = float(exact.mean()), float(exact.std()) or 1.0
    standard = (exact - mean) / spread
    slope, offset = _fitted(np.stack([standard, np.ones(len(exact))], axis=1), np.zeros(len(exact)), answers)
    if slope < LEAST_SLOPE:
        slope = LEAST_SLOPE
        (offset,) = _fitted(np.ones((len(exact), 1)), slope * standard, answers)
    return np.array([slope / spread, offset - slope * mean / spread])


def _fitted(columns: Values, fixed: Values, answers: Values) -> Values:
    """Weights w, shape (k,), of `columns`, (n, k), for which the logistic of columns·w + `fixed` predicts `answers` best."""
    weights = np.zeros(columns.shape[1])
    loss = _loss(columns @ weights + fixed, answers)
    for _ in range(ROUNDS):
        predicted = _logistic(columns @ weights + fixed)
        gradient = columns.T @ (predicted - answers)
        if np.abs(gradient).max() < PRECISION * len(answers):
            break
        # A little is added so that columns without any spread are no obstacle.
        curvature = (columns.T * (predicted * (1 - predicted))) @ columns + 1e-12 * np.eye(len(weights))
        direction = np.linalg.solve(curvature, gradient)
        step = 1.0
        while step > PRECISION and not (tried := _loss(columns @ (weights - step * direction) + fixed, answers)) < loss:
            step /= 2
        if step <= PRECISION:
            break
        weights, loss = weights - step * direction, tried
    return weights


def _logistic(x: Values) -> Values:
    # One and the same function, without ever taking the exponential of a large number.
    return 0.5 * (1 + np.tanh(x / 2))


def _loss(x: Values, answers: Values) -> float:
    return float((np.logaddexp(0, x) - answers * x).sum())


def calibration_error(probabilities: npt.NDArray[np.floating], taken: npt.NDArray[np.bool_], *, bins: int = 10) -> float:
    """Expected calibration error, in [0, 1], the lower the better (Naeini, Cooper and Hauskrecht, AAAI 2015).

    Candidates are parted by probability into `bins` of about as many each (Nguyen and O'Connor, EMNLP 2015); in each, the mean
    probability is compared with the share that was `taken`; the distances are averaged by size of bin. Equal probabilities share
    a bin, which may leave fewer bins. Raises `InvalidInput` for no probabilities, those outside [0, 1], and as many answers as
    there are not probabilities.
    """
    _check("probabilities", probabilities, taken)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InvalidInput("probabilities", probabilities, "in [0, 1]")
    n = len(probabilities)
    bounds = np.sort(probabilities)[np.arange(1, bins) * n // bins]
    place = np.searchsorted(bounds, probabilities, side="right")
    surplus = np.bincount(place, weights=probabilities.astype(np.float64) - taken, minlength=bins)
    return float(np.abs(surplus).sum() / n)


def _check(name: str, values: npt.NDArray[np.floating], taken: npt.NDArray[np.bool_]) -> None:
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InvalidInput(name, values, "at least one finite number")
    if taken.shape != values.shape or taken.dtype != np.bool_:
        raise InvalidInput("taken", f"shape {taken.shape}, {taken.dtype}", f"{len(values)} truth values, one per candidate")
