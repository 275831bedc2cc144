"""A reward model of few assumptions: means by action and by context, shrunk as far as the data ask for, and cross-fitted.

Each effect is a mean of what the effects before it left over: of an action, of each context code (position is one of them), of an
action with each code. A group of n rows keeps the share n / (n + σ²/τ²) of its mean, where σ² is the variance within groups and
τ² that between them, both estimated by moments (Bühlmann and Straub 1970, "credibility"; an effect whose τ² is not above 0 is
left out). Nothing is set by hand, and rewards may be clicks or ratings.

All work is on tables of contexts × actions, so that its cost hardly depends on the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.off_policy.logged import Floats
from recommender.errors import InvalidInput

Integers = npt.NDArray[np.int64]

_TINY = 1e-300
"""Keeps groups without rows, in data without noise, from dividing 0 by 0."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """The distinct contexts of a log: `codes`, shape (c, f), whole numbers ≥ 0 (position, age band, …), and each row's, shape (m,)."""

    codes: Integers
    row: Integers


@dataclass(frozen=True, eq=False)
class _Cells:
    """Rows summed by context and action: `count` and `total` reward, each (c, n_actions), and the sum of squared rewards."""

    count: Floats
    total: Floats
    squares: float


def contexts_of(codes: Integers) -> Contexts:
    """The distinct rows of `codes`, shape (m, f)."""
    distinct, row = np.unique(codes, axis=0, return_inverse=True)
    return Contexts(distinct, row.reshape(-1))


def fit_reward_model(contexts: Contexts, action: Integers, reward: Floats, n_actions: int) -> Floats:
    """Predicted reward of every action in every distinct context, shape (c, n_actions), within the range of the rewards seen.

    `action`, shape (m,), in [0, n_actions); `reward`, shape (m,), m ≥ 1. Unseen actions and codes get the mean of what is known of
    the rest.
    """
    return _fit(_cells(contexts, action, reward, n_actions), contexts.codes, float(reward.min()), float(reward.max()))


def cross_fitted(
    contexts: Contexts,
    action: Integers,
    reward: Floats,
    policy: Floats,
    rng: np.random.Generator,
    *,
    folds: int = 5,
    cluster: npt.NDArray[np.generic] | None = None,
) -> tuple[Floats, Floats]:
    """(q_logged, q_target) for `LoggedDecisions`, each of shape (m,), no row's own reward having been seen for it.

    `policy`, shape (c, n_actions): the target policy's probability of each action in each distinct context. Rows (whole clusters, where
    given) are dealt at random to `folds` ≥ 2 parts; each part is predicted by a model fitted on the others (Chernozhukov et al. 2018).
    Raises `InvalidInput` where there are fewer rows or clusters than parts.
    """
    unit = np.arange(len(reward)) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    units = int(unit.max()) + 1
    if not 2 <= folds <= units:
        raise InvalidInput("folds", folds, f"from 2 to the number of rows or clusters, {units}")
    fold = (rng.permutation(units) % folds)[unit]
    q_logged, q_target = np.empty(len(reward)), np.empty(len(reward))
    for part in range(folds):
        held, rest = fold == part, fold != part
        fitted = fit_reward_model(Contexts(contexts.codes, contexts.row[rest]), action[rest], reward[rest], policy.shape[1])
        here = contexts.row[held]
        q_logged[held] = fitted[here, action[held]]
        q_target[held] = (policy * fitted).sum(axis=1)[here]
    return q_logged, q_target


def _cells(contexts: Contexts, action: Integers, reward: Floats, n_actions: int) -> _Cells:
    shape = (len(contexts.codes), n_actions)
    cell = contexts.row * n_actions + action
    count = np.bincount(cell, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)
    total = np.bincount(cell, reward, shape[0] * shape[1]).astype(np.float64).reshape(shape)
    return _Cells(count, total, float(reward @ reward))


def _fit(cells: _Cells, codes: Integers, least: float, most: float) -> Floats:
    members = [(codes[:, feature, None] == np.arange(codes[:, feature].max() + 1)).astype(np.float64) for feature in range(codes.shape[1])]
    model = np.full(cells.count.shape, cells.total.sum() / cells.count.sum())
    everywhere = np.ones((len(codes), 1))
    # Broad effects first: a narrow one only explains what they leave.
    for member, by_action in [(everywhere, True), *((m, False) for m in members), *((m, True) for m in members)]:
        left = cells.total - model * cells.count
        squares = cells.squares - 2 * float((model * cells.total).sum()) + float((model * model * cells.count).sum())
        rows, sums = member.T @ cells.count, member.T @ left
        if not by_action:
            rows, sums = rows.sum(axis=1, keepdims=True), sums.sum(axis=1, keepdims=True)
        model = model + member @ _shrunk(rows, sums, squares)
    return np.asarray(np.clip(model, least, most), dtype=np.float64)


def _shrunk(rows: Floats, sums: Floats, squares: float) -> Floats:
    """The credible part of each group's mean, of the shape of `rows`; 0 in groups without rows."""
    seen = rows > 0
    groups, total = int(seen.sum()), float(rows.sum())
    mean = np.divide(sums, rows, out=np.zeros_like(sums), where=seen)
    between_squares = float((mean * sums).sum())
    if groups < 2 or total <= groups:
        return np.zeros_like(sums)
    within = max(squares - between_squares, 0.0) / (total - groups)
    spare = total - float((rows * rows).sum()) / total
    between = (between_squares - float(sums.sum()) ** 2 / total - (groups - 1) * within) / spare
    if between <= 0:
        return np.zeros_like(sums)
    return np.asarray(mean * (rows * between / np.maximum(rows * between + within, _TINY)), dtype=np.float64)
