"""What is kept of a stage is read back exactly, down to the order of arrays in memory and the bytes of what is published of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap
from worlds import films

from indexing.checkpoint.forms import INDEXED, READ, Indexed, Read, without_vectors
from indexing.checkpoint.records import read_record, write_record
from indexing.embedding import CatalogueVectors, Wanted
from indexing.snapshot import Snapshot
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.judging import HeldOut, Interval
from recommender.lists import Lists
from recommender.people import HISTORY_DTYPE
from recommender.vectors import VectorIndex


def through(value: object, folder: Path) -> object:
    write_record(value, folder)
    return read_record(folder)


def test_records_containers_and_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    value = {
        "interval": Interval(0.1 + 0.2, float("-inf"), np.float64(1e-300)),
        "parts": (1, True, None, "ćafé", [2.5]),
        "nothing": {},
    }
    made = through(value, tmp_path)
    assert made == value
    assert isinstance(made, dict)
    assert isinstance(made["parts"], tuple)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24, dtype=np.int16).reshape(4, 6)[::2, ::3],
        np.array([np.nan, np.inf, -0.0], dtype=np.float16),
        np.zeros((0, 5), dtype=np.uint8),
        np.array([(7, 1, 0.5, 9)], dtype=HISTORY_DTYPE),
        np.array([[True, False]]),
    ],
    ids=["plain", "by columns", "strided", "half", "empty", "history", "flags"],
)
def test_arrays_come_back_with_their_dtype_and_order(array: np.ndarray, tmp_path: Path) -> None:
    made = through(array, tmp_path)
    assert isinstance(made, np.ndarray)
    assert made.dtype == array.dtype
    assert made.tobytes() == array.tobytes()
    assert made.flags.f_contiguous or not array.flags.f_contiguous
    assert made.flags.writeable


def test_an_array_that_stands_in_two_places_is_kept_once(tmp_path: Path) -> None:
    array = np.arange(1_000, dtype=np.int64)
    first, second = through([array, array], tmp_path)  # type: ignore[misc]
    assert first is second
    assert (tmp_path / "arrays.bin").stat().st_size == array.nbytes


def test_people_who_were_held_out_come_back(tmp_path: Path) -> None:
    history = np.array([(7, 1, 0.5, 9)], dtype=HISTORY_DTYPE)
    held = HeldOut(np.array([3], dtype=np.uint32), [history], [BitMap([7, 9])], [BitMap()], [np.array([8], dtype=np.uint32)], 5)
    made = through(held, tmp_path)
    assert isinstance(made, HeldOut)
    assert (made.consumed, made.dismissed, made.cut, made.candidates) == (held.consumed, held.dismissed, 5, None)
    np.testing.assert_array_equal(made.histories[0], history)


def test_what_nobody_thought_of_is_refused(tmp_path: Path) -> None:
    for value in (object(), {1, 2}, Item("a", ItemKind.MEDIA), np.array([object()])):
        with pytest.raises(TypeError, match=r"is no record that is kept|an array of objects is not kept"):
            write_record(value, tmp_path)
    write_record(np.arange(10), tmp_path)
    with (tmp_path / "arrays.bin").open("rb+") as file:
        file.truncate(40)
    with pytest.raises(ValueError, match=r"arrays\.bin ends within an array"):
        read_record(tmp_path)


@pytest.mark.parametrize("count", [50, 3_000], ids=["exact", "compressed"])
def test_an_index_that_was_read_back_is_published_as_the_same_bytes(count: int, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex.build(vectors, exact_limit=1_000, seed=0, near=5)
    made = Indexed(index, without_vectors(CatalogueVectors(vectors, np.ones(count, dtype=np.bool_), "m", 3, 4, 5, ("odd",))))
    kept, first, second = (tmp_path / name for name in ("kept", "first", "second"))
    for folder in (kept, first, second):
        folder.mkdir()
    INDEXED.write(made, kept)

    back = INDEXED.read(kept)

    index.write(first)
    back.index.write(second)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {path.name: path.read_bytes() for path in second.iterdir()}
    np.testing.assert_array_equal(back.index.near, index.near)
    assert (back.embedded.embedder, back.embedded.embedded, back.embedded.cached, back.embedded.own) == ("m", 3, 4, 5)
    assert back.embedded.misfits == ("odd",)
    assert back.embedded.vectors.shape == (0, 16)
    # A list of the first index would be freed twice otherwise.
    assert index.exact is back.index.exact


def test_what_was_read_comes_back_with_texts_and_own_vectors(tmp_path: Path) -> None:
    items = [*films(5), Item("own", ItemKind.MEDIA, embedding=[1.0, 2.0]), Item("bare", ItemKind.PRODUCT)]
    catalogue = Catalogue.of([(number + 1, ItemState.LIVE, item) for number, item in enumerate(items)])
    empty = np.zeros(0)
    kinds = (np.uint32, np.uint32, np.uint8, np.float32, np.int64, np.uint8, np.int64)
    events = EventTable.sorted(*(empty.astype(kind) for kind in kinds))
    wanted = [Wanted.of(item) for item in items]
    READ.write(Read(Snapshot([], catalogue, events, 17), wanted), tmp_path)

    made = READ.read(tmp_path)

    assert made.snapshot.watermark == 17
    assert made.snapshot.catalogue.table.equals(catalogue.table)
    for name in ("id_hashes", "id_rows", "row_of_number", "numbers", "live"):
        np.testing.assert_array_equal(getattr(made.snapshot.catalogue, name), getattr(catalogue, name))
    assert [(each.id, each.text) for each in made.wanted] == [(each.id, each.text) for each in wanted]
    assert [None if each.vector is None else each.vector.tolist() for each in made.wanted] == [None] * 5 + [[0.5, 1.0], None]


def test_lists_come_back_as_lists(tmp_path: Path) -> None:
    lists = Lists(np.array([0, 1], dtype=np.int32), np.array([0], dtype=np.uint16), np.array([1], dtype=np.int16), 1)
    made = through(lists, tmp_path)
    assert isinstance(made, Lists)
    assert made.sections == 1
