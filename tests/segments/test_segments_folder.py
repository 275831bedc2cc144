"""The folder of delta segments: written whole or not at all, checked, compacted and carried over."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from segmented import BASE, D, delta, vector

from recommender.durable_files import FileEntry
from recommender.errors import CorruptSegment, InvalidInput, RecommenderError
from recommender.segments import Base, Delta, Loaded, Loans, Segments
from recommender.segments import folder as segments_folder
from recommender.segments.segment import FILES, MANIFEST


@pytest.fixture
def segments(tmp_path: Path) -> Segments:
    return Segments(tmp_path / "deltas", BASE)


def what(loaded: Loaded) -> tuple[dict[int, str], list[int]]:
    """Titles by number, and the removed numbers."""
    whole = loaded.delta(D)
    return dict(zip(whole.numbers.tolist(), whole.table.column("title").to_pylist(), strict=True)), whole.removed.tolist()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_before_the_first_there_is_none(segments: Segments) -> None:
    assert segments.names() == []
    assert segments.load().segments == segments.load().refused == ()
    assert what(segments.load()) == ({}, [])
    assert segments.compact() is None


def test_what_was_written_is_read_back(segments: Segments) -> None:
    written = delta([(5, 1), (2, 0)], [3])
    manifest = segments.add(written, 4, 9)
    assert (manifest.first, manifest.last, manifest.items, manifest.removed) == (4, 9, 2, 1)
    loaded = segments.load()
    assert loaded.last == 9
    (segment,) = loaded.segments
    assert segment.manifest == manifest
    assert segment.delta.table.to_pylist() == written.table.to_pylist()
    for name in ("numbers", "removed", "halves", "has_vector", "id_hashes"):
        np.testing.assert_array_equal(getattr(segment.delta, name), getattr(written, name))
    assert not segment.delta.halves.flags.writeable


def test_a_segment_that_says_nothing_is_one(segments: Segments) -> None:
    segments.add(Delta.empty(D), 1, 1)
    segments.add(delta([(1, 0)]), 2, 2)
    assert what(segments.load()) == ({1: "version 0"}, [])


def test_the_same_changes_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        segments = Segments(tmp_path / name, BASE)
        for change in (1, 2, 3):
            segments.add(delta([(change, change), (7, change)], [10 + change]), change, change)
        segments.compact()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(("first", "last"), [(3, 4), (5, 5), (0, 0), (8, 7), (6, 2**63)])
def test_changes_that_do_not_come_after_those_that_are_there_are_refused(segments: Segments, first: int, last: int) -> None:
    segments.add(delta([(1, 0)]), 3, 5)
    with pytest.raises(InvalidInput, match="from 6, after those"):
        segments.add(delta([(1, 1)]), first, last)
    assert segments.names() == ["0000000000000000003-0000000000000000005"]


def test_vectors_of_another_length_than_the_base_has_are_refused(segments: Segments) -> None:
    with pytest.raises(InvalidInput, match=r"vectors: given 'of length 9', allowed: of length 8"):
        segments.add(Delta.empty(9), 1, 1)
    assert segments.names() == []


@pytest.mark.parametrize(("field", "value"), [("generation", "20260302T000000-11111111"), ("embedder", "another"), ("dimension", 4)])
def test_a_segment_of_another_base_is_refused_by_name(segments: Segments, field: str, value: object) -> None:
    segments.add(delta([(1, 0)]), 1, 1)
    other = Base.model_validate({**BASE.model_dump(), field: value})
    foreign = Segments(segments.folder.parent, other)
    if foreign.folder != segments.folder:
        segments.folder.rename(foreign.folder)
    loaded = foreign.load()
    assert loaded.segments == ()
    (error,) = loaded.refused
    assert isinstance(error, CorruptSegment)
    assert f"{field} of the base: given {getattr(BASE, field)!r}, allowed: {value!r}" in str(error)


@pytest.mark.parametrize("file", [*FILES, MANIFEST])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "folder"])
def test_a_damaged_segment_is_refused_by_name_and_the_others_serve(segments: Segments, file: str, damage: str) -> None:
    for change in (1, 2, 3):
        segments.add(delta([(change, change)], [20 + change]), change, change)
    path = segments.folder / segments.names()[1] / file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 0x80
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    loaded = segments.load()
    assert what(loaded) == ({1: "version 1", 3: "version 3"}, [21, 23])
    (error,) = loaded.refused
    assert isinstance(error, CorruptSegment)
    assert str(error).startswith(f"delta segment {segments.names()[1]} is refused: {file}: ")
    with pytest.raises(CorruptSegment):
        segments.compact()
    assert len(segments.names()) == 3


def rewritten(segments: Segments, change: object) -> CorruptSegment:
    """What is said of a segment whose manifest says `change`, with checksums that fit."""
    folder = segments.folder / segments.names()[0]
    record = json.loads((folder / MANIFEST).read_text())
    record.update(change)
    (folder / MANIFEST).write_text(json.dumps(record))
    (error,) = segments.load().refused
    assert isinstance(error, CorruptSegment)
    return error


def test_what_is_lent_to_items_is_read_as_it_was_written_and_joined(segments: Segments) -> None:
    for number, lenders in ((1, [4, 7]), (2, [3])):
        lent = Loans.of(sp.csr_array((np.full(len(lenders), 0.25, np.float32), (np.zeros(len(lenders), int), lenders)), shape=(1, 9)))
        segments.add(replace(delta([(number, 0)]), loans=lent), number, number)
    segments.add(delta([(3, 0)]), 3, 3)
    for _ in range(2):
        loans = segments.load().delta(D).loans
        assert loans.lenders.tolist() == [[4, 7], [3, -1], [-1, -1]]
        assert loans.weights.view(np.float16).tolist() == [[0.25, 0.25], [0.25, 0], [0, 0]]
        segments.compact()


def test_a_newer_format_is_refused(segments: Segments) -> None:
    segments.add(delta([(1, 0)]), 1, 1)
    assert "format version: given 3, allowed: 2" in str(rewritten(segments, {"format_version": 3}))


def test_a_manifest_that_belongs_to_another_folder_is_refused(segments: Segments) -> None:
    segments.add(delta([(1, 0)]), 1, 1)
    assert "name: given that of segment" in str(rewritten(segments, {"last": 2}))


def test_counts_that_do_not_fit_the_arrays_are_refused(segments: Segments) -> None:
    segments.add(delta([(1, 0)]), 1, 1)
    assert "shape: given (1, 8), allowed: (2, 8)" in str(rewritten(segments, {"items": 2}))


@pytest.mark.parametrize(
    ("file", "array", "why"),
    [
        ("removed", np.array([4, 4], dtype=np.uint32), "some twice or out of order"),
        ("removed", np.array([1, 4], dtype=np.uint32), "names item 1, which is in items.arrow"),
        ("removed", np.array([3, 4], dtype=np.int64), "type: given int64, allowed: uint32"),
        ("vectors", np.full((1, D), np.nan, dtype=np.float16), "given NaN or infinity"),
    ],
)
def test_files_that_fit_their_checksum_and_make_no_sense_are_refused(segments: Segments, file: str, array: np.ndarray, why: str) -> None:
    segments.add(delta([(1, 0)], [2, 3]), 1, 1)
    folder = segments.folder / segments.names()[0]
    np.save(folder / f"{file}.npy", array)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    files[f"{file}.npy"] = FileEntry.of(folder / f"{file}.npy").model_dump()
    assert why in str(rewritten(segments, {"files": files}))


def test_compaction_changes_nothing_but_the_number_of_segments(segments: Segments) -> None:
    segments.add(delta([(1, 0), (2, 0)]), 1, 4)
    segments.add(delta([(1, 1)], [2]), 5, 5)
    segments.add(delta([(3, 0)], [9]), 8, 11)
    before = segments.load()
    manifest = segments.compact()
    assert manifest is not None
    assert (manifest.first, manifest.last) == (1, 11)
    assert segments.names() == [manifest.name]
    assert what(segments.load()) == what(before) == ({1: "version 1", 3: "version 0"}, [2, 9])
    assert segments.compact() is None
    segments.add(delta([(2, 5)]), 12, 12)
    assert what(segments.load()) == ({1: "version 1", 2: "version 5", 3: "version 0"}, [9])


def test_segments_that_are_mapped_stay_readable_when_they_are_compacted(segments: Segments) -> None:
    for change in (1, 2):
        segments.add(delta([(change, 0)]), change, change)
    before = segments.load()
    segments.compact()
    assert what(before) == ({1: "version 0", 2: "version 0"}, [])
    np.testing.assert_array_equal(before.segments[1].delta.halves.view(np.float16)[0], vector(2).astype(np.float16))


def test_what_is_known_is_not_read_again(segments: Segments) -> None:
    segments.add(delta([(1, 0)]), 1, 1)
    known = segments.load()
    segments.add(delta([(2, 0)]), 2, 2)
    again = segments.load(known.segments)
    assert again.segments[0] is known.segments[0]
    assert again.last == 2


class Killed(BaseException):
    """Stands for a kill: nothing that is left to do is done."""


@pytest.mark.parametrize("step", ["write_segment", "merged", "sync"])
def test_a_compaction_that_ends_half_way_loses_nothing(segments: Segments, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for change in (1, 2, 3):
        segments.add(delta([(change, change), (7, change)], [20 + change]), change, change)
    before = what(segments.load())

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(segments_folder, step, kill)
        with pytest.raises(Killed):
            segments.compact()
    assert what(segments.load()) == before
    segments.compact()
    assert len(segments.names()) == 1
    assert what(segments.load()) == before


def _add_and_die(root: Path, at: str) -> None:
    """Write segments in a process that is killed when it comes to `at`."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    segments = Segments(root, BASE)
    segments.add(delta([(1, 1)]), 1, 1)
    module: object = segments_folder
    if at == "write_durably":
        from recommender.segments import segment as module
    setattr(module, at, die)
    segments.add(delta([(1, 2), (2, 2)]), 2, 2)


@pytest.mark.parametrize(("at", "there"), [("write_segment", 1), ("write_durably", 1), ("sync", 2)])
def test_a_writer_that_is_killed_leaves_a_whole_segment_or_none(tmp_path: Path, at: str, there: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_add_and_die, args=(tmp_path, at))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    segments = Segments(tmp_path, BASE)
    loaded = segments.load()
    assert loaded.refused == ()
    assert len(loaded.segments) == there
    segments.add(delta([(9, 9)]), 3, 3)
    assert not list(segments.folder.glob(".new-*"))
    assert what(segments.load())[0][9] == "version 9"


def test_what_a_killed_compaction_did_not_remove_is_ignored_and_removed_by_the_next(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change in (1, 2):
        segments.add(delta([(change, change)]), change, change)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", _only_finishing(Path.rename))
        with pytest.raises(Killed):
            segments.compact()
    assert len(segments.names()) == 3
    assert len(segments.load().segments) == 1
    assert what(segments.load()) == ({1: "version 1", 2: "version 2"}, [])
    # Were the whole one damaged, its parts would serve.
    whole = segments.folder / segments.names()[0] / "vectors.npy"
    data = whole.read_bytes()
    whole.write_bytes(data[:-1])
    assert len(segments.load().segments) == 2
    whole.write_bytes(data)
    assert segments.compact() is None
    assert len(segments.names()) == 1


def _only_finishing(rename: object) -> object:
    def renamed(path: Path, target: Path) -> Path:
        if not path.name.startswith(".new-"):
            raise Killed
        return rename(path, target)  # type: ignore[operator]

    return renamed


def test_two_writers_come_one_after_the_other_and_neither_overwrites(segments: Segments) -> None:
    outcomes: list[str] = []

    def write(version: int) -> None:
        for change in range(1, 11):
            try:
                Segments(segments.folder.parent, BASE).add(delta([(change, version)]), change, change)
                outcomes.append("added")
            except InvalidInput:
                outcomes.append("refused")

    writers = [threading.Thread(target=write, args=(version,)) for version in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    loaded = segments.load()
    assert loaded.refused == ()
    # A writer may find that the other one is further already; what is there stays as it was written.
    assert outcomes.count("added") == len(loaded.segments) == len(segments.names())
    assert loaded.last == 10


def test_readers_beside_a_compaction_always_see_everything(segments: Segments) -> None:
    segments.add(delta([(0, 0)]), 1, 1)
    done = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not done.is_set():
            loaded = Segments(segments.folder.parent, BASE).load()
            titles = what(loaded)[0]
            if loaded.refused or sorted(titles) != list(range(len(titles))):
                wrong.append((loaded.refused, titles))

    reader = threading.Thread(target=read)
    reader.start()
    for change in range(2, 30):
        segments.add(delta([(change - 1, 0)]), change, change)
        if change % 3 == 0:
            segments.compact()
    done.set()
    reader.join()
    assert wrong == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "deltas").write_text("a file")
    with pytest.raises(RecommenderError, match="cannot write delta segments"):
        Segments(tmp_path / "deltas", BASE).add(delta([(1, 0)]), 1, 1)


def test_overlapping_changes_are_refused(segments: Segments) -> None:
    segments.add(delta([(1, 0)]), 1, 4)
    other = Segments(segments.folder.parent / "other", BASE)
    other.add(delta([(2, 0)]), 3, 6)
    (other.folder / other.names()[0]).rename(segments.folder / other.names()[0])
    loaded = segments.load()
    assert what(loaded) == ({1: "version 0"}, [])
    assert "changes: given from 3, allowed: from 5" in str(loaded.refused[0])
