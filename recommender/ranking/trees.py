"""Regression trees as arrays: scored without the library that trained them, with its very answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.ranking.tree_kernels import struck_trees

LEAF = -1
"""Stands for the feature and the children of a leaf."""

LEAVES_LIMIT = 64
"""Leaves of one tree at the most: they share one machine word while scoring."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of t binary trees with k nodes in all, leaves among them; parents come before their children.

    `features`: columns that rows to be scored have. `feature`: shape (k,), int16, the column that a node asks for, -1 for a
    leaf. `threshold`: shape (k,), float32, never +inf: a row goes left where its value is at most that; 0 for a leaf.
    `missing_left`: shape (k,), bool: where a row without the value (NaN) goes. `left`, `right`: shape (k,), int32, numbers of the
    children, -1 for a leaf. `value`: shape (k,), float32, what a leaf adds to the score; 0 elsewhere. `offsets`: shape (t + 1,),
    int32: tree i holds the nodes offsets[i] to offsets[i + 1], its root first.

    Raises ValueError where the arrays are no such trees, or a tree has more than 64 leaves.
    """

    features: int
    feature: npt.NDArray[np.int16]
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    left: Ints
    right: Ints
    value: Floats
    offsets: Ints
    _questions: _Questions = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "_questions", _asked(self))

    @classmethod
    def none(cls, features: int = 0) -> Trees:
        """No trees: every score is 0."""
        nodes, nothing = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        return cls(features, nodes.astype(np.int16), nothing, nodes.astype(np.bool_), nodes, nodes, nothing, np.zeros(1, dtype=np.int32))

    @property
    def count(self) -> int:
        """How many trees there are."""
        return len(self.offsets) - 1

    def score(self, x: Floats) -> Floats:
        """Sum over the trees for each row of `x`, shape (m, features), float32, NaN where missing: shape (m,), float32.

        A row's score does not depend on the other rows, to the last bit. Instead of walking the trees, all their questions are asked of
        many rows at once, and each answer "right" strikes off the leaves under the left child; the first leaf that remains is the one
        where the walk would end (V-QuickScorer: Lucchese et al., SIGIR 2016). Raises ValueError for another number of columns.
        """
        if x.ndim != 2 or x.shape[1] != self.features:
            raise ValueError(f"rows of {self.features} features, got shape {x.shape}")
        asked = self._questions
        return struck_trees(
            asked.starts, asked.columns, asked.thresholds, asked.missing_left, asked.struck, asked.values, np.ascontiguousarray(x)
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that a file has to keep, by name; `from_arrays` makes the same trees of it."""
        return {
            "features": np.array([self.features], dtype=np.int32),
            "feature": self.feature,
            "threshold": self.threshold,
            "missing_left": self.missing_left,
            "left": self.left,
            "right": self.right,
            "value": self.value,
            "offsets": self.offsets,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Trees:
        """The trees that `arrays` describes. Raises KeyError for a missing array and ValueError for one that is damaged."""
        features = arrays["features"]
        if features.shape != (1,) or features.dtype != np.int32:
            raise ValueError(f"the number of features as shape (1,), int32, got {features.shape}, {features.dtype}")
        return cls(int(features.item()), *(arrays[name] for name in _DTYPES))  # type: ignore[arg-type]


_DTYPES = {
    "feature": np.int16,
    "threshold": np.float32,
    "missing_left": np.bool_,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
    "offsets": np.int32,
}


def _check(trees: Trees) -> None:
    for name, dtype in _DTYPES.items():
        array = getattr(trees, name)
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(f"{name} is an array of {np.dtype(dtype)} in one dimension, got {array.dtype} in {array.ndim}")
    nodes, starts = len(trees.feature), trees.offsets
    if any(len(getattr(trees, name)) != nodes for name in _DTYPES if name != "offsets"):
        raise ValueError(f"{nodes} nodes, but not as many of every kind")
    if not len(starts) or starts[0] != 0 or starts[-1] != nodes or (np.diff(starts) < 1).any():
        raise ValueError(f"offsets rise from 0 to the {nodes} nodes")
    if trees.features < 0 or (trees.feature < LEAF).any() or (trees.feature >= trees.features).any():
        raise ValueError(f"nodes ask for one of {trees.features} features")
    if not np.isfinite(trees.value).all():
        raise ValueError("leaves have finite values")
    if not (trees.threshold < np.inf).all():
        raise ValueError("thresholds are numbers below +inf")
    leaf = trees.feature == LEAF
    if (trees.left[leaf] != LEAF).any() or (trees.right[leaf] != LEAF).any():
        raise ValueError("leaves have no children")
    # With every child behind its parent nothing can go round; with every node but the roots a child once, each tree is one tree.
    owner = np.repeat(np.arange(trees.count), np.diff(starts))
    inner = np.flatnonzero(~leaf)
    children = np.concatenate([trees.left[inner], trees.right[inner]])
    parents = np.concatenate([inner, inner])
    if (children <= parents).any() or (children >= nodes).any() or (owner[children] != owner[parents]).any():
        raise ValueError("children come after their parents, in the same tree")
    times = np.bincount(children, minlength=nodes)
    times[starts[:-1]] += 1
    if (times != 1).any():
        raise ValueError("every node but a root is the child of one other")
    leaves = np.add.reduceat(leaf, starts[:-1], dtype=np.int64) if trees.count else np.zeros(0)
    if (leaves > LEAVES_LIMIT).any():
        raise ValueError(f"trees of at most {LEAVES_LIMIT} leaves, got {leaves.max()}")


@dataclass(frozen=True, eq=False)
class _Questions:
    """All questions of the trees, tree by tree, as `struck_trees` asks them."""

    starts: npt.NDArray[np.int64]
    columns: Ints
    thresholds: Floats
    missing_left: npt.NDArray[np.bool_]
    struck: npt.NDArray[np.uint64]
    values: Floats


def _asked(trees: Trees) -> _Questions:
    leaves = _leaves_below(trees)
    values = np.zeros((trees.count, max((leaves[root] for root in trees.offsets[:-1].tolist()), default=1)), dtype=np.float32)
    first, struck = [0] * len(leaves), np.zeros(len(leaves), dtype=np.uint64)
    feature, left, right = trees.feature.tolist(), trees.left.tolist(), trees.right.tolist()
    tree_of = np.repeat(np.arange(trees.count, dtype=np.int32), np.diff(trees.offsets))
    for node in range(len(leaves)):
        if feature[node] == LEAF:
            values[tree_of[node], first[node]] = trees.value[node]
            continue
        first[left[node]], first[right[node]] = first[node], first[node] + leaves[left[node]]
        struck[node] = ((1 << leaves[left[node]]) - 1) << first[node]
    asking = np.flatnonzero(trees.feature != LEAF)
    starts = np.searchsorted(asking, trees.offsets).astype(np.int64)
    columns = trees.feature[asking].astype(np.int32)
    return _Questions(starts, columns, trees.threshold[asking], trees.missing_left[asking], struck[asking], values)


def _leaves_below(trees: Trees) -> list[int]:
    """How many leaves there are under each node, itself among them."""
    leaves = [1] * len(trees.feature)
    left, right = trees.left.tolist(), trees.right.tolist()
    for node in reversed(range(len(leaves))):
        if left[node] != LEAF:
            leaves[node] = leaves[left[node]] + leaves[right[node]]
    return leaves
