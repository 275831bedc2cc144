"""A vector index lies in files that are mapped, answers from there as it did in memory, and says when they do not belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sources.test_vectors import text_like

from recommender.index_files import COMPRESSED_FILE, VECTORS_FILE
from recommender.vectors import VectorIndex

N, D = 20_011, 32
"""Not in whole blocks."""


@pytest.fixture(scope="module")
def vectors() -> npt.NDArray[np.float32]:
    return text_like(N, D)


@pytest.fixture(scope="module")
def built(vectors: npt.NDArray[np.float32]) -> VectorIndex:
    return VectorIndex.build(vectors, exact_limit=1_000, seed=0)


@pytest.mark.parametrize("folder", ["plain", "épaule 肩"])
def test_what_is_mapped_answers_as_what_was_built(
    built: VectorIndex, vectors: npt.NDArray[np.float32], tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    allowed = np.random.default_rng(1).random(N) < 0.7
    before = built.search(vectors[:40], 50, allowed)
    built.write(tmp_path / folder)

    mapped = VectorIndex.read(tmp_path / folder)

    for index in (mapped, built):
        rows, cosines, mode = index.search(vectors[:40], 50, allowed)
        np.testing.assert_array_equal(rows, before[0])
        np.testing.assert_array_equal(cosines, before[1])
        assert mode == before[2] == "index"


def test_a_mapped_index_can_be_written_again(built: VectorIndex, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    built.write(folders[0])
    VectorIndex.read(folders[0]).write(folders[1])
    for name in (VECTORS_FILE, COMPRESSED_FILE):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def mapped_bytes() -> dict[str, int]:
    """Bytes of this process's address space by mapped file, that of no file under ""."""
    sizes: dict[str, int] = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end, _, name = re.fullmatch(r"(\w+)-(\w+) (\S+ \S+ \S+ \S+)\s*(.*)", line).groups()  # type: ignore[union-attr]
        sizes[name] = sizes.get(name, 0) + int(end, 16) - int(start, 16)
    return sizes


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc/self/maps to read what is mapped from")
def test_both_files_are_mapped(built: VectorIndex, vectors: npt.NDArray[np.float32], tmp_path: Path) -> None:
    built.write(tmp_path)
    index = VectorIndex.read(tmp_path)
    assert index.search(vectors[:1], 5, np.ones(N, dtype=np.bool_))[2] == "index"
    mapped = mapped_bytes()
    for name in (VECTORS_FILE, COMPRESSED_FILE):
        assert mapped[str(tmp_path / name)] >= (tmp_path / name).stat().st_size
    del index
    assert not {str(tmp_path / name) for name in (VECTORS_FILE, COMPRESSED_FILE)} & set(mapped_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[:-1], id="short"),
        pytest.param(lambda whole: np.concatenate([whole, whole[:1]]), id="long"),
        pytest.param(lambda whole: whole[:0], id="empty"),
        pytest.param(lambda whole: whole.view(np.int8), id="of another type"),
        pytest.param(lambda whole: whole[None], id="of another shape"),
    ],
)
def test_a_compressed_list_that_is_not_of_these_vectors_is_refused(
    built: VectorIndex, tmp_path: Path, damage: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.generic]]
) -> None:
    built.write(tmp_path)
    np.save(tmp_path / COMPRESSED_FILE, damage(np.load(tmp_path / COMPRESSED_FILE)))
    with pytest.raises(ValueError, match=r"compressed\.npy holds .*, vectors\.faiss needs"):
        VectorIndex.read(tmp_path)


def test_few_vectors_have_an_empty_compressed_list(vectors: npt.NDArray[np.float32], tmp_path: Path) -> None:
    VectorIndex.build(vectors[:50], exact_limit=1_000, seed=0).write(tmp_path)
    assert np.load(tmp_path / COMPRESSED_FILE).shape == (0,)
    np.save(tmp_path / COMPRESSED_FILE, np.zeros(3, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"compressed\.npy holds \(3,\)"):
        VectorIndex.read(tmp_path)
