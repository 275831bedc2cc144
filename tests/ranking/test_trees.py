"""Tests of tree scoring: what a walk through the trees says, for any trees and any rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.ranking.trees import LEAF, Trees

NAN, INF = float("nan"), float("inf")
Arrays = dict[str, np.ndarray]


def stump() -> Trees:
    """One tree, asking feature 1: at most 2.5 or missing gives −1, more gives +3."""
    return Trees(
        features=2,
        feature=np.array([1, LEAF, LEAF], dtype=np.int16),
        threshold=np.array([2.5, 0, 0], dtype=np.float32),
        missing_left=np.array([True, False, False]),
        left=np.array([1, LEAF, LEAF], dtype=np.int32),
        right=np.array([2, LEAF, LEAF], dtype=np.int32),
        value=np.array([0, -1, 3], dtype=np.float32),
        offsets=np.array([0, 3], dtype=np.int32),
    )


def grown(rng: np.random.Generator, features: int, sizes: list[int]) -> Trees:
    """Random trees of these numbers of leaves; thresholds are few, so that rows tie with them."""
    nodes: list[list[float]] = []
    offsets = [0]

    def grow(leaves: int) -> int:
        number = len(nodes)
        nodes.append([LEAF, 0, 0, LEAF, LEAF, rng.normal()])
        if leaves > 1:
            to_left = int(rng.integers(1, leaves))
            asked, threshold = int(rng.integers(features)), float(rng.choice([-INF, -1.5, -1, -0.0, 0, 0.1, 1, 2]))
            missing_left = rng.random() < 0.5
            nodes[number] = [asked, threshold, missing_left, grow(to_left), grow(leaves - to_left), 0]
        return number

    for size in sizes:
        grow(size)
        offsets.append(len(nodes))
    table = list(zip(*nodes, strict=True)) if nodes else [()] * 6
    dtypes = (np.int16, np.float32, np.bool_, np.int32, np.int32, np.float32)
    columns = [np.array(column, dtype=dtype) for column, dtype in zip(table, dtypes, strict=True)]
    return Trees(features, *columns, np.array(offsets, dtype=np.int32))  # type: ignore[arg-type]


def rows(rng: np.random.Generator, m: int, features: int) -> np.ndarray:
    """Rows among whose values are the thresholds of `grown`, both infinities and missing ones."""
    return rng.choice(np.array([NAN, -INF, INF, -1.5, -1, -0.0, 0, 0.1, 1, 2, 0.5, -7], dtype=np.float32), (m, features))


def walked(trees: Trees, x: np.ndarray) -> list[float]:
    """Scores by walking, a node at a time."""
    scores = []
    for row in x:
        total = 0.0
        for root in trees.offsets[:-1]:
            node = int(root)
            while trees.feature[node] != LEAF:
                value = row[trees.feature[node]]
                to_left = trees.missing_left[node] if np.isnan(value) else value <= trees.threshold[node]
                node = int(trees.left[node] if to_left else trees.right[node])
            total += float(trees.value[node])
        scores.append(np.float32(total))
    return scores


def test_a_tie_goes_left_and_a_missing_value_where_it_was_told() -> None:
    just_above = np.nextafter(np.float32(2.5), np.float32(3))
    x = np.array([[9, 2.5], [9, just_above], [9, NAN], [9, -INF], [9, INF], [NAN, 0]], dtype=np.float32)
    assert stump().score(x).tolist() == [-1, 3, -1, -1, 3, -1]


def test_trees_add_up() -> None:
    # Two trees: feature 0 at 0 (missing goes right) gives .25 or .5, whose right leaf asks feature 1 at 1 for .5 or 4; and a constant 8.
    trees = Trees(
        features=2,
        feature=np.array([0, LEAF, 1, LEAF, LEAF, LEAF], dtype=np.int16),
        threshold=np.array([0, 0, 1, 0, 0, 0], dtype=np.float32),
        missing_left=np.array([False, False, True, False, False, False]),
        left=np.array([1, LEAF, 3, LEAF, LEAF, LEAF], dtype=np.int32),
        right=np.array([2, LEAF, 4, LEAF, LEAF, LEAF], dtype=np.int32),
        value=np.array([0, 0.25, 0, 0.5, 4, 8], dtype=np.float32),
        offsets=np.array([0, 5, 6], dtype=np.int32),
    )
    x = np.array([[0, 5], [1, 1], [1, 2], [NAN, NAN]], dtype=np.float32)
    assert trees.score(x).tolist() == [0.25 + 8, 0.5 + 8, 4 + 8, 0.5 + 8]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, 6),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=8),
)
def test_scores_are_those_of_a_walk(seed: int, features: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    trees = grown(rng, features, sizes)
    x = rows(rng, 20, features)
    assert trees.score(x).tolist() == walked(trees, x)


@pytest.mark.parametrize("leaves", [1, 2, 8, 9, 16, 17, 32, 33, 64])
def test_every_width_of_tree_is_scored_right(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    trees = grown(rng, 3, [leaves, 1, leaves])
    x = rows(rng, 200, 3)
    assert trees.score(x).tolist() == walked(trees, x)


def test_a_row_scores_the_same_alone_and_in_a_crowd() -> None:
    rng = np.random.default_rng(0)
    trees = grown(rng, 5, [15] * 37)
    x = rng.normal(size=(500, 5)).astype(np.float32)
    together = trees.score(x)
    assert together.tobytes() == np.concatenate([trees.score(row[None]) for row in x]).tobytes()
    assert together[7:300].tobytes() == trees.score(np.asfortranarray(x[7:300])).tobytes()


def test_no_trees_score_nought_and_no_rows_score_nothing() -> None:
    none = Trees.none(3)
    assert none.count == 0
    assert none.score(np.full((2, 3), 7, dtype=np.float32)).tolist() == [0, 0]
    assert stump().score(np.zeros((0, 2), dtype=np.float32)).shape == (0,)


def test_scores_are_float32_and_rows_are_left_as_they_were() -> None:
    x = np.array([[NAN, NAN]], dtype=np.float32)
    assert stump().score(x).dtype == np.float32
    assert np.isnan(x).all()


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of 2 features"):
        stump().score(np.zeros((4, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="rows of 2 features"):
        stump().score(np.zeros(2, dtype=np.float32))


@pytest.mark.parametrize("sizes", [[], [1], [5, 1, 64]])
def test_trees_come_back_from_files_as_they_were(sizes: list[int], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    trees = grown(rng, 4, sizes)
    for name, array in trees.arrays().items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=False)
    again = Trees.from_arrays({name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in trees.arrays()})
    x = rows(rng, 50, 4)
    assert again.score(x).tobytes() == trees.score(x).tobytes()
    assert again.features == 4


def damaged(change: Callable[[Arrays], object]) -> Arrays:
    arrays = {name: array.copy() for name, array in stump().arrays().items()}
    change(arrays)
    return arrays


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: a["left"].__setitem__(0, 0), "children come after"),
        (lambda a: a["left"].__setitem__(0, -1), "children come after"),
        (lambda a: a["right"].__setitem__(0, 3), "children come after"),
        (lambda a: a["right"].__setitem__(0, 1), "child of one other"),
        (lambda a: a["left"].__setitem__(1, 2), "leaves have no children"),
        (lambda a: a["feature"].__setitem__(0, 2), "one of 2 features"),
        (lambda a: a["feature"].__setitem__(0, -2), "one of 2 features"),
        (lambda a: a["threshold"].__setitem__(0, NAN), "numbers below"),
        (lambda a: a["threshold"].__setitem__(0, INF), "numbers below"),
        (lambda a: a["value"].__setitem__(1, NAN), "finite values"),
        (lambda a: a["offsets"].__setitem__(1, 2), "offsets rise"),
        (lambda a: a.__setitem__("offsets", np.array([0, 1, 3], dtype=np.int32)), "children come after"),
        (lambda a: a.__setitem__("offsets", np.zeros(0, dtype=np.int32)), "offsets rise"),
        (lambda a: a.__setitem__("value", a["value"][:2]), "not as many"),
        (lambda a: a.__setitem__("value", a["value"].astype(np.float64)), "array of float32"),
        (lambda a: a.__setitem__("left", a["left"][None]), "one dimension"),
        (lambda a: a.__setitem__("features", np.zeros(2, dtype=np.int32)), "number of features"),
    ],
)
def test_damaged_arrays_are_refused(change: Callable[[Arrays], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Trees.from_arrays(damaged(change))


def test_a_missing_array_is_refused() -> None:
    with pytest.raises(KeyError, match="threshold"):
        Trees.from_arrays(damaged(lambda arrays: arrays.pop("threshold")))


def test_a_tree_of_more_leaves_than_a_word_has_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 64 leaves, got 65"):
        grown(np.random.default_rng(0), 2, [3, 65])
