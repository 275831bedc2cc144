"""Groups by which chances are summed up: exact where each item is one, near the truth where there are fewer."""

from __future__ import annotations

import numpy as np
import pytest

import indexing.learn.item_groups as item_groups_module
from indexing.learn.item_groups import GROUPS, item_groups
from recommender.sequence_model import SequenceModel


def like_items(m: int, d: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Items in fifty clusters, of all degrees of popularity."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(50, d))
    items = centres[rng.integers(0, 50, m)] + 0.5 * rng.normal(size=(m, d))
    return (0.7 * items).astype(np.float32), rng.normal(scale=1.5, size=m).astype(np.float32)


def totals(items: np.ndarray, bias: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By groups, and one by one."""
    centres, spreads, masses = item_groups(items, bias, seed=0)
    none = SequenceModel.none(0)
    d = items.shape[1]
    arrays = {"attention": np.zeros((0, d + 1, 4 * d)), "widening": np.zeros((0, d + 1, 4 * d)), "narrowing": np.zeros((0, 4 * d + 1, d))}
    model = SequenceModel(
        items=items,
        bias=bias,
        positions=np.zeros((1, d), dtype=np.float32),
        **{name: array.astype(np.float32) for name, array in arrays.items()},
        norms=np.zeros((1, 2, d), dtype=np.float32),
        centres=centres,
        spreads=spreads,
        masses=masses,
        heads=none.heads,
    )
    logits = states @ items.T + bias
    most = logits.max(axis=1, keepdims=True)
    return model.log_total(states), (most[:, 0] + np.log(np.exp(logits - most).sum(axis=1)))


def test_few_items_are_summed_up_one_by_one() -> None:
    items, bias = like_items(GROUPS)
    states = np.random.default_rng(1).normal(size=(40, 16)).astype(np.float32)
    by_groups, exact = totals(items, bias, states)
    np.testing.assert_allclose(by_groups, exact, rtol=1e-5, atol=1e-4)


def test_many_items_are_summed_up_nearly_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_groups_module, "GROUPS", 128)
    items, bias = like_items(6_000)
    states = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    by_groups, exact = totals(items, bias, states)
    # Scores go by a quarter of the error: a tenth is one of two and a half per cent.
    error = np.abs(by_groups - exact)
    assert np.median(error) < 0.1
    assert np.quantile(error, 0.95) < 0.5


def test_the_same_items_make_the_same_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_groups_module, "GROUPS", 32)
    items, bias = like_items(2_000)
    for ours, theirs in zip(item_groups(items, bias, seed=5), item_groups(items, bias, seed=5), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (item_groups(items, bias, seed=5)[1] >= 0).all()
