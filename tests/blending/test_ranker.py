"""Tests of the ranker: it learns what orders well, it scores as LightGBM does, and it is the same every time."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from indexing.blending.ranker import train_ranker, trees_of
from recommender.errors import InvalidInput
from recommender.profile import Ranker
from recommender.ranking.trees import Trees

SMALL = Ranker(trees=20, leaves=7, least_in_leaf=5)
World = tuple[np.ndarray, np.ndarray, np.ndarray]


def world(queries: int = 120, size: int = 10, features: int = 4, *, seed: int = 0, missing: float = 0.1) -> World:
    """Queries in which the candidates with the highest feature 1 were taken up; the other features are noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(queries * size, features)).astype(np.float32)
    seen = x[:, 1].reshape(queries, size)
    labels = (seen >= np.sort(seen, axis=1)[:, -2:-1]).astype(np.int32).ravel()
    x[rng.random(x.shape) < missing] = np.nan
    return x, labels, np.full(queries, size)


def train(given: World, settings: Ranker = SMALL, *, seed: int = 0, monotone: tuple[int, ...] | None = None, **more: Any) -> Trees:
    return train_ranker(*given, settings, seed=seed, monotone=monotone or (0,) * given[0].shape[1], **more).trees


def same(one: Trees, other: Trees) -> bool:
    theirs = other.arrays()
    return all(array.tobytes() == theirs[name].tobytes() for name, array in one.arrays().items())


def test_the_feature_that_decides_wins() -> None:
    given = world()
    trained = train_ranker(*given, SMALL, seed=0, monotone=(0,) * 4)
    assert trained.importance.argmax() == 1
    assert trained.importance[1] > 10 * trained.importance[[0, 2, 3]].max()
    x, labels, _ = world(seed=1, missing=0)
    best = trained.trees.score(x).reshape(-1, 10).argmax(axis=1)
    assert labels.reshape(-1, 10)[np.arange(120), best].mean() > 0.9


def rows_at_thresholds(model: dict[str, Any], features: int, rng: np.random.Generator) -> np.ndarray:
    """Rows made of all thresholds and their neighbours, infinities, missing values and noughts."""
    thresholds: list[float] = []

    def walk(node: dict[str, Any]) -> None:
        if "split_feature" in node:
            thresholds.append(node["threshold"])
            walk(node["left_child"])
            walk(node["right_child"])

    for tree in model["tree_info"]:
        walk(tree["tree_structure"])
    # Beyond the largest float32 there is only infinity.
    exact = np.clip(thresholds, -3.4e38, 3.4e38).astype(np.float32)
    around = [exact, np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(-np.inf))]
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1e-36, -1e-36, 3.4e38, -3.4e38], dtype=np.float32)
    values = np.concatenate([*around, np.repeat(special, max(1, len(exact) // len(special)))])
    return rng.choice(values, (2_000, features))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", ["lambdarank", "regression"])
def test_scores_are_those_of_lightgbm(seed: int, objective: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1_500, 6)).astype(np.float32)
    # Values that tie often, those that are often nought, missing ones in training or only later, and infinite ones.
    x[:, 1] = np.round(x[:, 1] * 2) / 10
    x[:, 2] *= rng.random(1_500) < 0.4
    x[:, :3][rng.random((1_500, 3)) < 0.2] = np.nan
    x[rng.random(1_500) < 0.1, 4] = np.inf
    x[rng.random(1_500) < 0.1, 4] = -np.inf
    x[:, 5] *= 1e30
    labels = (np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) * 5 + x[:, 3] + (x[:, 4] > 0) + (x[:, 5] > 0) > 1).astype(np.int32)
    booster = lightgbm.train(
        {
            "objective": objective,
            "num_leaves": int(rng.choice([2, 7, 15, 31, 64])),
            "min_data_in_leaf": 5,
            "verbosity": -1,
            "num_threads": 1,
        },
        lightgbm.Dataset(x, labels, group=[50] * 30, params={"verbosity": -1}),
        40,
    )
    model = booster.dump_model()
    trees = trees_of(model)
    assert trees.count == 40
    for given in (x, rows_at_thresholds(model, 6, rng)):
        assert trees.score(given) == pytest.approx(np.asarray(booster.predict(given, raw_score=True)), abs=1e-6)


def test_what_the_trees_cannot_say_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, (600, 1)).astype(np.float64)
    labels = np.isin(x[:, 0], [1, 4]).astype(np.float64)
    by_category = lightgbm.Dataset(x, labels, categorical_feature=[0], params={"verbosity": -1})
    with pytest.raises(InvalidInput, match="decision_type"):
        trees_of(lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_per_group": 1}, by_category, 2).dump_model())
    noughts_missing = lightgbm.Dataset(x, labels, params={"verbosity": -1, "zero_as_missing": True})
    with pytest.raises(InvalidInput, match="missing_type"):
        trees_of(lightgbm.train({"verbosity": -1, "num_threads": 1, "zero_as_missing": True}, noughts_missing, 2).dump_model())


def test_the_same_arguments_give_the_same_trees() -> None:
    given = world()
    settings = Ranker(trees=30, leaves=7, least_in_leaf=5)
    assert same(train(given, settings, seed=3), train(given, settings, seed=3))
    assert not same(train(given, settings, seed=3), train(given, settings, seed=4))


@pytest.mark.parametrize(("sign", "others"), [(1, -1), (-1, 1)])
def test_a_score_never_goes_against_a_feature_that_may_not(sign: int, others: int) -> None:
    # Feature 1 decides, and the labels speak for it; feature 0 is noise, out of which unbound trees would make steps.
    given = world(queries=60)
    trees = train(given, Ranker(trees=50, leaves=15, least_in_leaf=2), monotone=(sign, sign, 0, 0))
    free = train(given, Ranker(trees=50, leaves=15, least_in_leaf=2))
    rng = np.random.default_rng(5)
    for feature in (0, 1):
        line = np.sort(rng.normal(size=300)).astype(np.float32)
        steps, free_steps = [], []
        for _ in range(30):
            x = np.tile(rng.normal(size=4).astype(np.float32), (300, 1))
            x[:, feature] = line
            steps.append(np.diff(trees.score(x)) * sign)
            free_steps.append(np.diff(free.score(x)) * sign)
        assert np.min(steps) >= 0
        assert np.min(free_steps) < 0


def test_queries_that_teach_no_order_change_nothing() -> None:
    x, labels, groups = world()
    rng = np.random.default_rng(9)
    idle = rng.normal(size=(30, 4)).astype(np.float32)
    # One without a positive, one of positives only, and one without candidates.
    more = np.concatenate([idle[:15], x, idle[15:]])
    more_labels = np.concatenate([np.zeros(15), labels, np.ones(15)])
    more_groups = np.concatenate([[15], groups, [15, 0]])
    assert same(train((x, labels, groups)), train((more, more_labels, more_groups)))


def test_growing_stops_when_judges_are_served_no_better() -> None:
    settings = Ranker(trees=300, leaves=15, least_in_leaf=5, learning_rate=0.3, patience=5)
    x, labels, groups = world()
    flipped = np.random.default_rng(2).random(len(labels)) < 0.2
    trained = train_ranker(x, np.where(flipped, 1 - labels, labels), groups, settings, seed=0, monotone=(0,) * 4)
    assert 0 < trained.trees.count < 100


def test_people_are_scored_by_trees_that_were_not_grown_on_them() -> None:
    # Labels are drawn at random, so that only who was learnt from can be told.
    rng = np.random.default_rng(4)
    x, labels = rng.normal(size=(1_500, 5)).astype(np.float32), (rng.random(1_500) < 0.3).astype(np.int32)
    settings = Ranker(trees=60, leaves=31, least_in_leaf=2, penalty=0, patience=1_000)
    people = np.repeat(np.arange(50), 3)
    trained = train_ranker(x, labels, np.full(150, 10), settings, seed=0, monotone=(0,) * 5, people=people)
    assert trained.judged.all()
    grown, crossed = ([scores[labels == label].mean() for label in (1, 0)] for scores in (trained.trees.score(x), trained.scores))
    assert grown[0] - grown[1] > 10 * abs(crossed[0] - crossed[1])


def test_as_many_parts_are_judged_as_it_takes_each_person_with_all_queries() -> None:
    people = np.repeat(np.arange(50) * 7, 3)
    x, labels, groups = world(queries=150)
    settings = SMALL.model_copy(update={"folds": 5, "judges": 11})
    trained = train_ranker(x, labels, groups, settings, seed=0, monotone=(0,) * 4, people=people)
    assert trained.judged.sum() == 20 * 3
    assert (trained.judged.reshape(50, 3) == trained.judged.reshape(50, 3)[:, :1]).all()
    assert (np.isfinite(trained.scores) == np.repeat(trained.judged, groups)).all()
    other = train_ranker(x, labels, groups, settings, seed=1, monotone=(0,) * 4, people=people)
    assert not (trained.judged == other.judged).all()


def test_those_who_teach_are_dealt_evenly() -> None:
    x, labels, groups = world()
    labels = labels.reshape(120, 10).copy()
    labels[2:] = 0
    trained = train_ranker(x, labels.ravel(), groups, SMALL, seed=0, monotone=(0,) * 4)
    assert np.isfinite(trained.scores).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"trees": 5},
        {"leaves": 3},
        {"learning_rate": 0.5},
        {"least_in_leaf": 80},
        {"truncation": 1},
        {"feature_share": 0.3},
        {"penalty": 1_000.0},
    ],
)
def test_every_setting_changes_the_trees(changed: dict[str, float]) -> None:
    given = world()
    assert not same(train(given, SMALL.model_copy(update=changed)), train(given))


def test_patience_changes_how_many_trees_are_grown() -> None:
    x, labels, groups = world()
    labels = np.where(np.random.default_rng(2).random(len(labels)) < 0.2, 1 - labels, labels)
    counts = {patience: train((x, labels, groups), Ranker(trees=200, least_in_leaf=5, patience=patience)).count for patience in (1, 100)}
    assert counts[1] < counts[100]


def test_labels_may_say_how_much_better() -> None:
    x, _, groups = world(missing=0)
    graded = np.clip(np.floor(x[:, 1] + 2), 0, 4)
    order = train((x, graded, groups)).score(world(seed=1, missing=0)[0])
    assert np.corrcoef(order, world(seed=1, missing=0)[0][:, 1])[0, 1] > 0.8


def test_training_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    train(world())
    train(world(), Ranker(trees=5, least_in_leaf=100_000))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_too_few_candidates_for_a_split_order_nothing() -> None:
    trees = train(world(), Ranker(trees=5, least_in_leaf=100_000))
    assert len(set(trees.score(world(seed=1)[0]).tolist())) == 1


@pytest.mark.parametrize("label", [0, 1])
def test_labels_that_teach_no_order_are_refused(label: int) -> None:
    x, labels, groups = world()
    with pytest.raises(InvalidInput, match="at least two people to learn from"):
        train((x, np.full_like(labels, label), groups))
    with pytest.raises(InvalidInput, match="at least two people to learn from"):
        train((x, labels, groups), people=np.zeros(120, dtype=np.int64))


@pytest.mark.parametrize("label", [np.nan, np.inf, -np.inf, -1, 0.5, 31])
def test_labels_that_are_no_small_whole_numbers_are_refused(label: float) -> None:
    x, labels, groups = world()
    wrong = labels.astype(np.float64)
    wrong[3] = label
    with pytest.raises(InvalidInput, match=r"labels: .* whole number from 0 to 30"):
        train((x, wrong, groups))


def test_arguments_that_do_not_fit_each_other_are_refused() -> None:
    x, labels, groups = world()
    with pytest.raises(InvalidInput, match="features"):
        train((x[1:], labels, groups))
    with pytest.raises(InvalidInput, match="groups"):
        train((x, labels, groups[1:]))
    with pytest.raises(InvalidInput, match="groups"):
        train((x, labels, np.array([1_210, -10])))
    with pytest.raises(InvalidInput, match="groups"):
        train((np.zeros((10_001, 4), dtype=np.float32), np.arange(10_001) % 2, np.array([10_001])))
    with pytest.raises(InvalidInput, match="monotone"):
        train((x, labels, groups), monotone=(1, 0))
    with pytest.raises(InvalidInput, match="monotone"):
        train((x, labels, groups), monotone=(2, 0, 0, 0))
    with pytest.raises(InvalidInput, match="people"):
        train((x, labels, groups), people=np.zeros(3, dtype=np.int64))
