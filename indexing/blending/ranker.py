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
    """`trees`, and how they came about.

    `importance`: shape (f,), float64, ≥ 0: by how much splits on each feature made the training loss smaller. `best_iteration`:
    how many trees served held-out people best, all of them where nobody was held out. `held_out`: shape (q,): the queries that
    no tree was learnt from.
    """

    trees: Trees
    importance: npt.NDArray[np.float64]
    best_iteration: int
    held_out: Mask


def train_ranker(
    features: Floats,
    labels: npt.NDArray[Any],
    groups: npt.NDArray[np.integer],
    settings: Ranker,
    *,
    seed: int,
    monotone: tuple[int, ...],
    people: npt.NDArray[np.integer] | None = None,
    validation: Mask | None = None,
) -> TrainedRanker:
    """A ranker learnt from q queries with N candidates in all, one query's after the other's.

    `features`: shape (N, f), float32, NaN where missing. `labels`: shape (N,), whole numbers from 0 to 30, the higher the better,
    0 for what was not taken up. `groups`: shape (q,), how many candidates each query has, up to 10,000. `monotone`: for each
    feature 1 where a higher value must not lower the score, −1 where it must not raise it, else 0. `people`: shape (q,), whose
    query each is, without which every query is somebody else's. `validation`: shape (q,), the queries that are held out to
    choose the number of trees; without it the people are drawn (`held_out_people`).

    Queries whose candidates have all the same label, as those without a positive, teach no order and are left out. Where no
    held-out query teaches any, all trees are kept. The same arguments give the same trees. Raises `InvalidInput` for labels
    that are not such numbers, sizes and masks that do not fit, and where no query that is learnt from teaches an order.
    """
    features, labels = _checked(features, labels, groups, monotone)
    if validation is None:
        persons = np.arange(len(groups)) if people is None else people
        validation = held_out_people(persons, settings.held_out, seed=seed)
    if validation.shape != groups.shape or validation.dtype != np.bool_:
        raise InvalidInput("validation", f"shape {validation.shape}", f"a mask over {len(groups)} queries")
    teaching = _teaching(labels, groups)
    if not (teaching & ~validation).any():
        raise InvalidInput("labels", f"{len(groups)} queries", "at least one query to learn from with candidates of different labels")
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

    def dataset(queries: Mask, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        rows = np.repeat(queries, groups)
        return lightgbm.Dataset(features[rows], labels[rows], reference, group=groups[queries], params=parameters)

    training = dataset(teaching & ~validation)
    judges = teaching & validation
    booster = lightgbm.train(
        parameters,
        training,
        settings.trees,
        valid_sets=[dataset(judges, training)] if judges.any() else None,
        callbacks=[lightgbm.early_stopping(settings.patience, verbose=False)] if judges.any() else None,
    )
    best = booster.best_iteration if judges.any() else booster.num_trees()
    trees = trees_of(booster.dump_model(num_iteration=best))
    return TrainedRanker(trees, booster.feature_importance("gain", iteration=best), best, validation)


def held_out_people(people: npt.NDArray[np.integer], share: float, *, seed: int) -> Mask:
    """Which queries belong to held-out people, shape (q,): about `share` of the distinct `people`, shape (q,), with all that is theirs."""
    persons, owner = np.unique(people, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(persons)) < round(share * len(persons))
    return drawn[owner]


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
