from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.interactions import rarity
from indexing.learn.item_item import item_item_weights, penalty_of
from indexing.learn.strongest import FAN
from recommender.errors import InvalidInput
from recommender.profile import ItemItem


def some_matrix(people: int = 60, items: int = 25, *, seed: int = 3) -> sp.csr_array:
    """Weights of several sizes, some of them negative, and one item that nobody has."""
    rng = np.random.default_rng(seed)
    dense = rng.choice([0, 0, 0, 0.5, 1, 1.5, -0.5], size=(people, items)).astype(np.float32)
    dense[:, 4] = 0
    return sp.csr_array(dense)


def ease(matrix: np.ndarray, penalty: float) -> np.ndarray:
    """Steck (WWW 2019), as the paper's listing has it: B = P / −diag(P), the diagonal zero."""
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def learnt(settings: ItemItem, matrix: sp.csr_array | None = None, **arguments: int) -> np.ndarray:
    return item_item_weights(
        some_matrix() if matrix is None else matrix, settings, penalty=settings.regularisation, seed=0, **arguments
    ).toarray()


DENSE, LOCAL = ItemItem(item_exponent=0), ItemItem(item_exponent=0, dense_limit=0)
FORMS = pytest.mark.parametrize("form", [DENSE, LOCAL], ids=["dense", "local"])


@FORMS
@pytest.mark.parametrize("penalty", [7.0, 1e-3])
def test_it_is_textbook_ease_where_an_item_reaches_all_others_in_single_and_in_double_precision(form: ItemItem, penalty: float) -> None:
    positive = np.maximum(some_matrix().toarray().astype(np.float64), 0)
    ours = learnt(form.model_copy(update={"degree_exponent": 0, "regularisation": penalty}))
    np.testing.assert_allclose(ours, ease(positive, penalty), atol=1e-5)


@FORMS
def test_heavy_consumers_are_scaled_down_and_the_penalty_with_them(form: ItemItem) -> None:
    positive = np.maximum(some_matrix().toarray().astype(np.float64), 0)
    scaled = positive / positive.sum(axis=1, keepdims=True) ** 0.5
    shrink = (scaled**2).sum() / (positive**2).sum()
    ours = learnt(form.model_copy(update={"degree_exponent": 0.5, "regularisation": 7}))
    np.testing.assert_allclose(ours, ease(scaled, 7 * shrink), atol=1e-5)


@FORMS
def test_the_penalty_of_an_item_grows_with_its_degree(form: ItemItem) -> None:
    positive = np.maximum(some_matrix().toarray().astype(np.float64), 0)
    has = positive.any(axis=0)
    known, degrees = positive[:, has], positive[:, has].sum(axis=0)
    shrink = (known**2 / degrees**0.5).sum() / (known**2).sum()
    # Ridge with a penalty of its own for each item: B = P / −diag(P) with P = (G + λ diag(d^(2 · 0.25)))⁻¹.
    inverse = np.linalg.inv(known.T @ known + 7 * shrink * np.diag(degrees**0.5))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    ours = learnt(form.model_copy(update={"degree_exponent": 0, "item_exponent": 0.25, "regularisation": 7}))
    np.testing.assert_allclose(ours[np.ix_(has, has)], expected, atol=1e-5)


def test_two_items_by_hand() -> None:
    # G = [[2, 1], [1, 2]], and each item is regressed on the other alone: G_01 / (G_00 + λ) = 1 / (2 + 3).
    matrix = sp.csr_array(np.array([[1, 1], [1, 0], [0, 1]], dtype=np.float32))
    for form in (DENSE, LOCAL):
        ours = learnt(form.model_copy(update={"degree_exponent": 0, "regularisation": 3}), matrix)
        np.testing.assert_allclose(ours, [[0, 1 / 5], [1 / 5, 0]], rtol=1e-5)


@pytest.mark.parametrize("cells", [1, 60])
def test_the_dense_form_does_not_depend_on_how_it_is_cut(cells: int) -> None:
    settings = ItemItem(neighbours=5)
    np.testing.assert_allclose(learnt(settings, cells=cells), learnt(settings), atol=1e-7)


def groups_of_items(groups: int = 6, size: int = 10, people: int = 120) -> sp.csr_array:
    """People of group g have most of the items g * size to (g + 1) * size − 1, and nothing else."""
    rng = np.random.default_rng(1)
    owner = np.arange(people) % groups
    dense = (owner[:, None] == np.arange(groups * size) // size) & (rng.random((people, groups * size)) < 0.7)
    return sp.csr_array(dense.astype(np.float32))


def test_local_blocks_miss_nothing_where_items_fall_into_groups_within_reach() -> None:
    # Blocks hold half the reach, ten items, so that all of a group lie within reach of each, wherever blocks begin.
    matrix = groups_of_items()
    local = learnt(LOCAL.model_copy(update={"reach": 20}), matrix)
    np.testing.assert_allclose(local, learnt(DENSE, matrix), atol=1e-6)
    other = item_item_weights(matrix, LOCAL.model_copy(update={"reach": 20}), penalty=LOCAL.regularisation, seed=5).toarray()
    np.testing.assert_allclose(local, other, atol=1e-6)


def test_beyond_its_reach_an_item_says_nothing() -> None:
    weights = learnt(ItemItem(dense_limit=0, reach=2))
    # Alone in its block, each item is regressed on the single one closest to it.
    assert np.count_nonzero(weights, axis=0).max() == 1
    assert np.count_nonzero(weights) == 24


@FORMS
def test_each_item_keeps_what_it_says_most_for_among_what_each_hears_most_from(form: ItemItem) -> None:
    full = learnt(form.model_copy(update={"neighbours": 1_000}))
    cut = learnt(form.model_copy(update={"neighbours": 3}))
    heard = np.zeros_like(full)
    for column in range(full.shape[1]):
        strongest = np.argsort(-np.abs(full[:, column]))[: FAN * 3]
        heard[strongest, column] = full[strongest, column]
    for row in heard:
        row[np.argsort(-np.abs(row))[3:]] = 0
    np.testing.assert_array_equal(cut, heard)


@pytest.mark.parametrize("form", [DENSE, LOCAL], ids=["dense", "local"])
def test_a_penalty_that_is_lost_in_rounding_is_refused_by_name(form: ItemItem) -> None:
    # Everybody has both items or neither, so that without a penalty nothing tells them apart.
    matrix = sp.csr_array(np.ones((1_000, 2), dtype=np.float32))
    with pytest.raises(InvalidInput, match=r"item_item\.regularisation"):
        learnt(form.model_copy(update={"regularisation": 1e-30}), matrix)


def test_every_setting_changes_the_weights() -> None:
    local = {"dense_limit": 0}
    usual, usual_local = learnt(ItemItem()), learnt(ItemItem(**local, reach=12))
    for changed in ({"neighbours": 3}, {"regularisation": 5.0}, {"degree_exponent": 0.0}, {"dense_limit": 0, "reach": 12}):
        assert (learnt(ItemItem(**changed)) != usual).any()
    assert (learnt(ItemItem(**local, reach=18)) != usual_local).any()
    assert (item_item_weights(some_matrix(), ItemItem(**local, reach=12), penalty=4_000.0, seed=7).toarray() != usual_local).any()


def test_the_penalty_falls_with_how_rare_events_are() -> None:
    # A quarter of all pairs have an entry, of which an item that nobody has is no part: the root of the share is a half.
    matrix = sp.csr_array(np.pad(np.eye(4, dtype=np.float32), ((0, 0), (0, 1))))
    assert rarity(matrix) == 2
    assert penalty_of(matrix, ItemItem(regularisation=10.0)) == 5
    assert rarity(sp.csr_array((3, 2), dtype=np.float32)) == 1
