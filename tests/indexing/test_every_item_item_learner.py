"""What every learner of weights between items promises; each is a function from the same people's interactions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from indexing.learn.co_occurrence import co_occurrence_weights
from indexing.learn.item_item import item_item_weights
from indexing.learn.strongest import FAN
from indexing.learn.transitions import transition_weights
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.profile import BuildSettings, CoOccurrence, ItemItem, Transitions
from recommender.times import DAY_US

NEIGHBOURS = 7
CELLS = 2**22

Learner = Callable[..., sp.csr_array]


def dense_ridge(matrix: np.ndarray, *, seed: int = 0, cells: int = CELLS, **settings: float) -> sp.csr_array:
    return item_item_weights(sp.csr_array(matrix), ItemItem(neighbours=NEIGHBOURS, **settings), penalty=100.0, seed=seed, cells=cells)


def local_ridge(matrix: np.ndarray, *, seed: int = 0, cells: int = CELLS) -> sp.csr_array:
    return dense_ridge(matrix, seed=seed, cells=cells, dense_limit=0, reach=8)


def co_occurrence(matrix: np.ndarray, *, seed: int = 0) -> sp.csr_array:
    return co_occurrence_weights(sp.csr_array(matrix), CoOccurrence(neighbours=NEIGHBOURS))


def transitions(matrix: np.ndarray, *, seed: int = 0) -> sp.csr_array:
    """People turned to their items from left to right, one a day; the event types are those that weigh as in `matrix`."""
    kinds = {0.5: EventType.VIEW, 1.0: EventType.READ, 1.5: EventType.LIKE, -0.5: EventType.DISLIKE}
    person, column = np.nonzero(matrix)
    events = EventTable.sorted(
        (person + 1).astype(np.uint32),
        (column + 1).astype(np.uint32),
        np.array([kinds[float(weight)] for weight in matrix[person, column]], dtype=np.uint8),
        np.full(len(person), np.nan, dtype=np.float32),
        column * np.int64(DAY_US),
        np.full(len(person), Consent.ALL, dtype=np.uint8),
        np.arange(len(person), dtype=np.int64),
    )
    items = [(number, ItemState.LIVE, Item(f"item-{number}", ItemKind.MEDIA)) for number in range(1, matrix.shape[1] + 1)]
    settings = BuildSettings(transitions=Transitions(neighbours=NEIGHBOURS))
    return transition_weights(events, Catalogue.of(items), settings)


@pytest.fixture(params=[dense_ridge, local_ridge, co_occurrence, transitions], ids=lambda learner: learner.__name__)
def learner(request: pytest.FixtureRequest) -> Learner:
    made: Learner = request.param
    return made


def some_matrix(people: int = 60, items: int = 25) -> np.ndarray:
    """Weights of several sizes, some of them negative; nobody has item 4, and whoever met item 7 dislikes it."""
    dense = np.random.default_rng(3).choice([0, 0, 0, 0.5, 1, 1.5, -0.5], size=(people, items)).astype(np.float32)
    dense[:, 4] = 0
    dense[:, 7] = np.where(dense[:, 7] != 0, -0.5, 0)
    return dense


def two_tastes() -> np.ndarray:
    """Forty people; those of even number have most even items, the others most odd ones, and each has one of the other taste."""
    rng = np.random.default_rng(8)
    own = np.arange(40)[:, None] % 2 == np.arange(16) % 2
    dense = (own & (rng.random((40, 16)) < 0.8)).astype(np.float32)
    strays = (2 * rng.integers(0, 8, 40) + 1 - np.arange(40) % 2).astype(np.int64)
    dense[np.arange(40), strays] = 1
    return dense


def test_weights_are_a_sorted_float32_square_with_nothing_on_the_diagonal(learner: Learner) -> None:
    weights = learner(some_matrix())
    assert isinstance(weights, sp.csr_array)
    assert weights.shape == (25, 25)
    assert weights.dtype == np.float32
    assert weights.indices.dtype == weights.indptr.dtype == np.int32
    assert weights.has_sorted_indices
    assert weights.has_canonical_format
    assert np.isfinite(weights.data).all()
    assert (weights.data != 0).all()
    assert not weights.diagonal().any()


def test_no_item_says_more_than_it_may_nor_is_spoken_for_by_more(learner: Learner) -> None:
    matrix = (np.random.default_rng(5).random((50, 60)) < 0.5).astype(np.float32)
    weights = learner(matrix)
    assert np.diff(weights.indptr).max() == NEIGHBOURS
    assert np.bincount(weights.indices).max() <= FAN * NEIGHBOURS


def test_the_same_input_gives_the_same_bytes(learner: Learner) -> None:
    one, two = learner(some_matrix(), seed=3), learner(some_matrix(), seed=3)
    for part in ("data", "indices", "indptr"):
        assert getattr(one, part).tobytes() == getattr(two, part).tobytes()


@pytest.mark.parametrize("ridge", [dense_ridge, local_ridge])
@pytest.mark.parametrize("cells", [1, 40, 1_000])
def test_cutting_the_work_of_a_ridge_into_pieces_changes_nothing(ridge: Learner, cells: int) -> None:
    np.testing.assert_allclose(ridge(some_matrix(), cells=cells).toarray(), ridge(some_matrix()).toarray(), atol=1e-6)


@pytest.mark.parametrize("sums", [co_occurrence, transitions])
@pytest.mark.parametrize("rows", [1, 7])
def test_sharing_the_rows_among_cores_changes_nothing(sums: Learner, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sums(some_matrix()).toarray()
    for module in ("sums", "transitions"):
        monkeypatch.setattr(f"indexing.learn.{module}.ROWS", rows)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2})

    np.testing.assert_array_equal(sums(some_matrix()).toarray(), whole)


def test_what_is_disliked_counts_as_little_as_what_nobody_has(learner: Learner) -> None:
    matrix = some_matrix()
    weights = learner(matrix)
    for row in (4, 7):
        assert not weights[[row]].nnz
        assert not weights[:, [row]].nnz
    without = learner(np.maximum(matrix, 0))
    # Steps are counted between what people liked, so that a dislike between two items does not set them further apart.
    np.testing.assert_allclose(weights.toarray(), without.toarray(), atol=1e-7)


@pytest.mark.parametrize("matrix", [np.zeros((0, 5)), np.zeros((3, 5)), np.eye(1, 5), np.eye(5), np.full((3, 5), -0.5)])
def test_where_nobody_has_two_items_nothing_is_learnt(learner: Learner, matrix: np.ndarray) -> None:
    weights = learner(matrix.astype(np.float32))
    assert weights.shape == (5, 5)
    assert weights.nnz == 0


def test_a_catalogue_of_one_item_or_none_teaches_nothing(learner: Learner) -> None:
    assert learner(np.ones((3, 1), dtype=np.float32)).nnz == 0
    assert learner(np.ones((0, 0), dtype=np.float32)).shape == (0, 0)


def test_one_person_is_enough(learner: Learner) -> None:
    weights = learner(np.array([[1, 0, 1, 1]], dtype=np.float32)).toarray()
    assert (weights[np.ix_([0, 2, 3], [0, 2, 3])][~np.eye(3, dtype=bool)] > 0).all()
    assert np.count_nonzero(weights) == 6


def test_one_person_may_have_more_items_than_are_kept(learner: Learner) -> None:
    weights = learner(np.ones((1, 60), dtype=np.float32))
    assert 1 <= np.diff(weights.indptr).max() <= NEIGHBOURS
    assert np.isfinite(weights.data).all()


def test_each_items_closest_are_of_its_own_taste(learner: Learner) -> None:
    weights = learner(two_tastes()).tocoo()
    assert np.bincount(weights.row, minlength=16).min() == NEIGHBOURS
    own = weights.row % 2 == weights.col % 2
    assert weights.data[own].sum() > 4 * np.abs(weights.data[~own]).sum()


def test_what_people_lack_of_their_own_taste_scores_above_the_other(learner: Learner) -> None:
    matrix = two_tastes()
    scores = matrix @ learner(matrix).toarray()
    own = np.arange(40)[:, None] % 2 == np.arange(16) % 2
    lacking = scores[own & (matrix == 0)]
    assert len(lacking) > 20
    assert lacking.mean() > 3 * scores[~own & (matrix == 0)].mean()
