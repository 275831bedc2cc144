"""Vectors in one FAISS index: read back, searched exactly and compressed, and never a row that is not allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from handmade import unit

from recommender.index_files import COMPRESSED_FILE, VECTORS_FILE
from recommender.vectors import FACTORS, VectorIndex

N, D = 24_000, 256


def text_like(n: int, d: int, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Unit vectors in clusters of uneven size, as embedded texts are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(100, d))
    sizes = 1 / (1 + np.arange(100))
    return unit(centres[rng.choice(100, n, p=sizes / sizes.sum())] + rng.normal(scale=0.9, size=(n, d)))


@pytest.fixture(scope="module")
def vectors() -> npt.NDArray[np.float32]:
    return text_like(N, D)


@pytest.fixture(scope="module")
def compressed(vectors: npt.NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    folder = tmp_path_factory.mktemp("vectors")
    VectorIndex.build(vectors, exact_limit=20_000, seed=0).write(folder)
    return VectorIndex.read(folder)


def exact_best(cosines: npt.NDArray[np.float32], k: int) -> list[set[int]]:
    return [set(line.tolist()) for line in np.argpartition(-cosines, k - 1, axis=1)[:, :k]]


def test_every_finite_half_precision_number_is_read_back_to_the_bit() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].astype(np.float32)
    padded = np.resize(finite, (len(finite) // 32 + 1, 32))
    index = VectorIndex.build(padded, exact_limit=10**6, seed=0)
    read = index.gather(np.arange(len(padded)))
    np.testing.assert_array_equal(read.view(np.uint32), padded.view(np.uint32))


def test_vectors_are_kept_within_half_precision(vectors: npt.NDArray[np.float32], compressed: VectorIndex) -> None:
    rows = np.array([[0, N - 1], [17, 17]])
    np.testing.assert_array_equal(compressed.gather(rows), vectors[rows].astype(np.float16).astype(np.float32))
    assert (compressed.size, compressed.dimension, compressed.exact) == (N, D, False)


@pytest.mark.parametrize(("share", "mode"), [(0.99, "index"), (0.5, "index"), (0.1, "exact"), (0.01, "exact")])
def test_the_compressed_index_finds_what_exact_search_finds(
    vectors: npt.NDArray[np.float32], compressed: VectorIndex, share: float, mode: str
) -> None:
    rng = np.random.default_rng(int(100 * share))
    allowed = rng.random(N) < share
    queries = unit(vectors[rng.choice(N, 20)] + rng.normal(scale=0.05, size=(20, D)))
    rows, cosines, found_by = compressed.search(queries, 100, allowed)
    assert found_by == mode
    assert allowed[rows].all()
    every = queries @ vectors.T
    best = exact_best(np.where(allowed, every, -np.inf), 100)
    hits = [len(wanted & set(line.tolist())) for wanted, line in zip(best, rows, strict=True)]
    assert np.mean(hits) / 100 >= 0.99
    expected = np.take_along_axis(every, rows.astype(np.int64), axis=1)
    np.testing.assert_allclose(cosines, expected, atol=2e-3)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_removed_items_are_never_found_by_their_own_vectors(vectors: npt.NDArray[np.float32], compressed: VectorIndex) -> None:
    gone = np.arange(0, N, 800)
    allowed = np.ones(N, dtype=np.bool_)
    before, _, _ = compressed.search(vectors[gone], 1, allowed)
    assert (before[:, 0] == gone).all()
    allowed[gone] = False
    after, _, _ = compressed.search(vectors[gone], 50, allowed)
    assert not np.isin(after, gone).any()


@pytest.mark.parametrize("n", [300, 5_000])
def test_exact_search_is_the_dense_product(n: int) -> None:
    vectors = text_like(n, 16)
    index = VectorIndex.build(vectors, exact_limit=20_000, seed=0)
    allowed = np.ones(n, dtype=np.bool_)
    allowed[::7] = False
    rows, cosines, mode = index.search(vectors[:5], 20, allowed)
    assert mode == "exact"
    stored = vectors.astype(np.float16).astype(np.float32)
    expected = np.where(allowed, vectors[:5] @ stored.T, -np.inf)
    np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :20], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(expected, rows.astype(np.int64), axis=1), cosines, atol=1e-5)


def test_asking_for_more_than_is_allowed_gives_what_there_is(vectors: npt.NDArray[np.float32], compressed: VectorIndex) -> None:
    allowed = np.zeros(N, dtype=np.bool_)
    allowed[[3, 5]] = True
    rows, _, _ = compressed.search(vectors[:2], 10, allowed)
    assert [set(line.tolist()) for line in rows] == [{3, 5}] * 2
    allowed[:] = False
    assert compressed.search(vectors[:2], 10, allowed)[0].shape == (2, 0)


def test_asking_a_compressed_index_for_every_row_gives_each_once() -> None:
    n = 6_000
    index = VectorIndex.build(text_like(n, 16), exact_limit=1_000, seed=0)
    allowed = np.ones(n, dtype=np.bool_)
    allowed[:1_500] = False
    rows, _, _ = index.search(text_like(3, 16, seed=9), n, allowed)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.flatnonzero(allowed), (3, 1)))


def near_duplicates(groups: int, each: int, d: int, spread: float) -> npt.NDArray[np.float32]:
    """Unit vectors in tight groups, cosines of about 1 - spread² within one and 0 elsewhere."""
    rng = np.random.default_rng(3)
    own = rng.normal(scale=spread / np.sqrt(d), size=(groups, each, d))
    return unit((unit(rng.normal(size=(groups, d)))[:, None] + own).reshape(-1, d))


def test_near_duplicates_get_as_many_proposals_as_they_need() -> None:
    vectors = near_duplicates(20, 2_000, 64, 0.18)
    index = VectorIndex.build(vectors, exact_limit=1_000, seed=0)
    assert index.factor > VectorIndex.build(text_like(40_000, 64), exact_limit=1_000, seed=0).factor
    allowed = np.ones(len(vectors), dtype=np.bool_)
    queries = vectors[::2_001]
    cosines = queries @ vectors.T
    for k in (50, 500):
        rows, _, mode = index.search(queries, k, allowed)
        true = -np.sort(-cosines, axis=1)[:, k - 1 : k]
        assert (np.take_along_axis(cosines, rows.astype(np.int64), axis=1) >= true - 1e-4).mean() > 0.99, mode


def test_what_was_measured_survives_a_file(tmp_path: Path) -> None:
    index = VectorIndex.build(near_duplicates(20, 200, 16, 0.3), exact_limit=1_000, seed=0)
    index.write(tmp_path)
    assert VectorIndex.read(tmp_path).factor == index.factor in FACTORS


def test_no_query_gets_no_answer(compressed: VectorIndex) -> None:
    for allowed in (np.ones(N, dtype=np.bool_), np.arange(N) < 50):
        assert compressed.search(np.zeros((0, D), dtype=np.float32), 7, allowed)[0].shape == (0, 7)


def test_vectors_that_are_all_zero_are_indexed_all_the_same() -> None:
    index = VectorIndex.build(np.zeros((1_500, 16), dtype=np.float32), exact_limit=1_000, seed=0, near=5)
    assert index.near.shape == (1_500, 5)
    assert (index.near == -1).all()
    assert index.search(text_like(2, 16), 3, np.ones(1_500, dtype=np.bool_))[0].tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize(("n", "d"), [(0, 16), (1, 3), (1_500, 7), (999, 8)])
def test_sizes_that_cannot_be_compressed_are_scanned(n: int, d: int, tmp_path: Path) -> None:
    index = VectorIndex.build(text_like(n, d), exact_limit=0, seed=0)
    index.write(tmp_path)
    for each in (index, VectorIndex.read(tmp_path)):
        assert each.exact
        assert (each.size, each.dimension) == (n, d)
        assert each.gather(np.arange(n)).shape == (n, d)
        rows, _, mode = each.search(text_like(2, d), 5, np.ones(n, dtype=np.bool_))
        assert rows.shape == (2, min(5, n))
        assert mode == "exact"


def test_one_seed_gives_one_index(tmp_path: Path) -> None:
    vectors = text_like(2_000, 16)
    files = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        VectorIndex.build(vectors, exact_limit=1_000, seed=seed).write(tmp_path / name)
        files.append([(tmp_path / name / file).read_bytes() for file in (VECTORS_FILE, COMPRESSED_FILE)])
    assert files[0] == files[1] != files[2]


def test_of_equal_cosines_the_lower_rows_are_found() -> None:
    vectors = np.tile(unit(np.ones((1, 8))), (1_000, 1))
    index = VectorIndex.build(vectors, exact_limit=10**6, seed=0)
    rows, _, _ = index.search(vectors[:2], 10, np.ones(1_000, dtype=np.bool_))
    assert rows.tolist() == [list(range(10))] * 2


def test_the_nearest_of_every_row_are_kept_where_rows_are_many() -> None:
    vectors = text_like(3_000, 32)
    vectors[::50] = 0
    index = VectorIndex.build(vectors, exact_limit=1_000, seed=0, near=10)
    assert index.near.shape == (3_000, 10)
    assert (index.near[::50] == -1).all()
    there = np.flatnonzero(np.arange(3_000) % 50)
    cosines = vectors[there] @ vectors.T
    cosines[np.arange(len(there)), there] = -1
    true = np.argsort(-cosines, axis=1)[:, :10]
    recall = np.mean([len(set(found) & set(best)) / 10 for found, best in zip(index.near[there], true, strict=True)])
    assert recall > 0.97
    assert (index.near[there] != there[:, None]).all()


def test_the_very_like_rows_do_not_push_a_row_into_its_own_list() -> None:
    vectors = np.repeat(text_like(100, 16), 20, axis=0)
    index = VectorIndex.build(vectors, exact_limit=100, seed=0, near=5)
    assert (index.near != np.arange(2_000)[:, None]).all()
    assert (index.near // 20 == np.arange(2_000)[:, None] // 20).all()


def test_few_rows_need_no_lists_and_lists_survive_a_file(tmp_path: Path) -> None:
    assert VectorIndex.build(text_like(500, 16), exact_limit=1_000, seed=0, near=10).near.shape == (500, 0)
    index = VectorIndex.build(text_like(1_500, 16), exact_limit=1_000, seed=0, near=10)
    index.write(tmp_path)
    np.testing.assert_array_equal(VectorIndex.read(tmp_path, index.near).near, index.near)
