"""The ranker: regression trees that put what people took up first (LambdaMART: Burges, MSR-TR-2010-82), trained with LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput
from recommender.profile import Ranker
from recommender.ranking.trees import LEAF, Trees

THREADS = 2
LARGEST_LABEL = 30
LARGEST_QUERY = 10_000
"""Candidates of one query at the most; both are limits of LightGBM."""
NOUGHT = np.float32(1e-35)
"""Up to so far from 0 a value is 0 to LightGBM."""

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrainedRanker:
    """`trees`, grown on everybody, and how they came about.

    `importance`: shape (f,), float64, ≥ 0: by how much splits on each feature made the training loss smaller. `judged`: shape (q,): the
    queries of judges. `scores`: shape (N,), float32: what trees, as many, that were not grown on whose candidates they are give those of
    judges; NaN for others.
    """

    trees: Trees
    importance: npt.NDArray[np.float64]
    judged: Mask
    scores: Floats


def train_ranker(
    features: Floats,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[np.integer],
    settings: Ranker,
    *,
    seed: int,
    monotone: tuple[int, ...],
    people: npt.NDArray[np.integer] | None = None,
) -> TrainedRanker:
    """A ranker learnt from q queries with N candidates in all, one query's after the other's.

    `features`: shape (N, f), float32, NaN where missing. `labels`: shape (N,), whole numbers from 0 to 30, the higher the better,
    0 for what was not taken up. `groups`: shape (q,), how many candidates each query has, up to 10,000. `monotone`: for each
    feature 1 where a higher value must not lower the score, −1 where it must not raise it, else 0. `people`: shape (q,), whose
    query each is, without which every query is somebody else's.

    How many trees serve best is found by cross-validation over people, and as many are then grown on all of them. Queries whose
    candidates have all the same label, as those without a positive, teach no order and are left out. The same arguments give the same
    trees. Raises `InvalidInput` for labels that are not such numbers, sizes that do not fit, and with fewer than two people whose
    queries teach an order.
    """
    features, labels = _checked(features, labels, groups, monotone)
    owner = np.arange(len(groups)) if people is None else np.unique(people, return_inverse=True)[1]
    if owner.shape != groups.shape:
        raise InvalidInput("people", f"{len(owner)}", f"one for each of {len(groups)} queries")
    teaching = _teaching(labels, groups)
    teachers = len(np.unique(owner[teaching]))
    if teachers < 2:
        raise InvalidInput("labels", f"{teachers} people", "at least two people to learn from with candidates of different labels")
    folds = min(settings.folds, teachers)
    fold = _dealt(owner, teaching, folds, seed)
    # Imported here because it takes a second, and only the training of a ranker needs it.
    import lightgbm

    parameters = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [settings.truncation],
        "lambdarank_truncation_level": settings.truncation,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.least_in_leaf,
        "lambda_l2": settings.penalty,
        "feature_fraction": settings.feature_share,
        "monotone_constraints": list(monotone) if any(monotone) else None,
        "seed": seed,
        # However many threads add up, they do so in one way, so that the same data make the same trees.
        "num_threads": THREADS,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    rows = np.repeat(teaching, groups)
    dataset = lightgbm.Dataset(features[rows], labels[rows], group=groups[teaching], params=parameters, free_raw_data=False)
    of_row = np.repeat(fold[teaching], groups[teaching])
    judging = range(min(folds, -(-settings.judges * folds // len(np.unique(owner)))))
    crossed = lightgbm.cv(
        parameters,
        dataset,
        settings.trees,
        folds=[(np.flatnonzero(of_row != part), np.flatnonzero(of_row == part)) for part in judging],
        callbacks=[lightgbm.early_stopping(settings.patience, verbose=False)],
        return_cvbooster=True,
    )["cvbooster"]
    assert isinstance(crossed, lightgbm.CVBooster)
    best = crossed.best_iteration
    scores = np.full(len(features), np.nan, dtype=np.float32)
    for part, booster in zip(judging, crossed.boosters, strict=True):
        theirs = np.repeat(fold == part, groups)
        scores[theirs] = trees_of(booster.dump_model(num_iteration=best)).score(features[theirs])
    whole = lightgbm.train(parameters, dataset, best)
    return TrainedRanker(trees_of(whole.dump_model()), whole.feature_importance("gain"), np.isin(fold, judging), scores)


def _dealt(owner: npt.NDArray[np.integer], teaching: Mask, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Which fold each query falls to, shape (q,), all of one `owner` to the same, those who teach spread as evenly as the others."""
    persons = int(owner.max()) + 1
    teaches = np.zeros(persons, dtype=np.bool_)
    teaches[owner[teaching]] = True
    rng = np.random.default_rng(seed)
    # Those who teach first, so that no part is without, and whoever does not changes nothing for them.
    drawn = np.concatenate([rng.permutation(np.flatnonzero(teaches)), rng.permutation(np.flatnonzero(~teaches))])
    fold = np.empty(persons, dtype=np.int64)
    fold[drawn] = np.arange(persons) % folds
    dealt: npt.NDArray[np.int64] = fold[owner]
    return dealt


def _checked(
    features: Floats, labels: npt.NDArray[Any], groups: npt.NDArray[np.integer], monotone: tuple[int, ...]
) -> tuple[Floats, npt.NDArray[np.int32]]:
    if features.ndim != 2 or len(features) != len(labels):
        raise InvalidInput("features", f"shape {features.shape}", f"{len(labels)} rows, one for each label")
    if len(monotone) != features.shape[1] or any(sign not in (-1, 0, 1) for sign in monotone):
        raise InvalidInput("monotone", monotone, f"−1, 0 or 1 for each of {features.shape[1]} features")
    if groups.ndim != 1 or (groups < 0).any() or (groups > LARGEST_QUERY).any() or groups.sum() != len(labels):
        raise InvalidInput("groups", f"{len(groups)} sizes", f"from 0 to {LARGEST_QUERY} candidates each, {len(labels)} in all")
    # NaN is in no range, so that it is refused as well.
    if labels.ndim != 1 or not ((labels >= 0) & (labels <= LARGEST_LABEL)).all() or (labels != np.floor(labels)).any():
        raise InvalidInput("labels", labels, f"one whole number from 0 to {LARGEST_LABEL} per candidate")
    return features.astype(np.float32, copy=False), labels.astype(np.int32)


def _teaching(labels: npt.NDArray[np.int32], groups: npt.NDArray[np.integer]) -> Mask:
    """Queries with candidates of at least two different labels, shape (q,)."""
    owner = np.repeat(np.arange(len(groups)), groups)
    lowest = np.full(len(groups), LARGEST_LABEL + 1)
    highest = np.full(len(groups), -1)
    np.minimum.at(lowest, owner, labels)
    np.maximum.at(highest, owner, labels)
    return lowest < highest


def trees_of(model: Mapping[str, Any]) -> Trees:
    """The trees of a LightGBM model, given as its `Booster.dump_model()`.

    They score float32 rows as LightGBM does: a threshold, of double precision there, becomes the float32 that parts the same
    float32 values. A missing value goes to the default side of a split that was taught some, and counts as 0 at others. Raises
    `InvalidInput` for what has no counterpart: splits by category, and zeros that mean missing.
    """
    nodes: list[tuple[int, float, bool, int, int, float]] = []
    offsets = [0]
    for tree in model["tree_info"]:
        _append(tree["tree_structure"], nodes)
        offsets.append(len(nodes))
    feature, threshold, missing_left, left, right, value = zip(*nodes, strict=True) if nodes else ((),) * 6
    return Trees(
        features=model["max_feature_idx"] + 1,
        feature=np.array(feature, dtype=np.int16),
        threshold=_parting(np.array(threshold, dtype=np.float64)),
        missing_left=np.array(missing_left, dtype=np.bool_),
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        value=np.array(value, dtype=np.float32),
        offsets=np.array(offsets, dtype=np.int32),
    )


def _append(part: Mapping[str, Any], nodes: list[tuple[int, float, bool, int, int, float]]) -> int:
    """Append a node and all below it, parents first; the number that it got."""
    number = len(nodes)
    if "split_feature" not in part:
        nodes.append((LEAF, 0.0, False, LEAF, LEAF, part["leaf_value"]))
        return number
    if part["decision_type"] != "<=":
        raise InvalidInput("decision_type", part["decision_type"], "<=, splits of numbers")
    if part["missing_type"] not in ("None", "NaN"):
        raise InvalidInput("missing_type", part["missing_type"], "None or NaN")
    threshold = float(part["threshold"])
    missing_left = bool(part["default_left"]) if part["missing_type"] == "NaN" else threshold >= 0
    nodes.append((LEAF, 0.0, False, LEAF, LEAF, 0.0))
    left = _append(part["left_child"], nodes)
    right = _append(part["right_child"], nodes)
    nodes[number] = (part["split_feature"], threshold, missing_left, left, right, 0.0)
    return number


def _parting(thresholds: npt.NDArray[np.float64]) -> Floats:
    """The largest float32, below +inf, that LightGBM sends left at each threshold: for float32 values, the threshold itself."""
    largest = np.finfo(np.float32).max
    # LightGBM's own stand-in for infinity, 1e300, is no float32.
    rounded = np.where(thresholds < -largest, -np.inf, np.clip(thresholds, -largest, largest)).astype(np.float32)
    rounded = np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    # It reads a value next to 0 as 0, so that all of those go where 0 goes.
    below_nought = np.nextafter(-NOUGHT, np.float32(-np.inf))
    return np.where(np.abs(rounded) <= NOUGHT, np.where(thresholds < 0, below_nought, NOUGHT), rounded)
