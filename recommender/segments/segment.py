"""One delta segment: a folder with a manifest and the files that it lists, written once and checked before it is used.

::

    <first>-<last>/          changes of the store's sequence from first to last
        manifest.json        format version, base, embedder, dimension, checksum and size of every file
        items.arrow          new and changed items, as in a generation
        vectors.npy          float16, shape (m, d)
        has_vector.npy       bool, shape (m,)
        id_hashes.npy        uint64, shape (m,)
        removed.npy          uint32, shape (g,), ascending
        lenders.npy          int32, shape (m, k), rows of the base that lend to each item, -1 behind the last
        loans.npy            float16, shape (m, k), what each of them lends
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from recommender.arrow_buffers import numbers_in
from recommender.durable_files import FileEntry, difference, sync, write_durably
from recommender.errors import CorruptSegment
from recommender.generation.manifest import Manifest
from recommender.mapped_arrays import mapped_array
from recommender.segments.delta import Delta
from recommender.segments.loans import Loans

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
ITEMS_FILE = "items.arrow"
ARRAYS = {
    "vectors": np.dtype(np.float16),
    "has_vector": np.dtype(np.bool_),
    "id_hashes": np.dtype(np.uint64),
    "removed": np.dtype(np.uint32),
    "lenders": np.dtype(np.int32),
    "loans": np.dtype(np.float16),
}
FILES = (ITEMS_FILE, *(f"{name}.npy" for name in ARRAYS))
NAME = re.compile(r"(\d{19})-(\d{19})")


class Base(BaseModel):
    """What a segment goes on top of: a generation, what made its vectors, and their length."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generation: str
    embedder: str
    dimension: int

    @classmethod
    def of(cls, manifest: Manifest) -> Base:
        """The generation of a manifest."""
        return cls(generation=manifest.id, embedder=manifest.embedder, dimension=manifest.dimension)


class SegmentManifest(BaseModel):
    """What a segment is: changes `first` to `last` on top of `base`, so many `items` and `removed` numbers, and its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    base: Base
    first: int
    last: int
    items: int
    removed: int
    files: dict[str, FileEntry]

    @property
    def name(self) -> str:
        """The name of its folder; by name, segments stand in order of time."""
        return name_of(self.first, self.last)


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment that was checked, with its files mapped into memory."""

    manifest: SegmentManifest
    delta: Delta


def name_of(first: int, last: int) -> str:
    """The name of the segment of changes `first` to `last`."""
    return f"{first:019}-{last:019}"


def write_segment(folder: Path, delta: Delta, base: Base, first: int, last: int) -> SegmentManifest:
    """Write all files of a segment into the existing, empty `folder`, manifest last; they are on disk then. Raises OSError."""
    with pa.OSFile(str(folder / ITEMS_FILE), "wb") as sink, pa.ipc.new_file(sink, delta.table.schema) as writer:
        writer.write_table(delta.table)
    arrays = {
        "vectors": delta.halves.view(np.float16),
        "has_vector": delta.has_vector,
        "id_hashes": delta.id_hashes,
        "removed": delta.removed,
        "lenders": delta.loans.lenders,
        "loans": delta.loans.weights.view(np.float16),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    files = {name: FileEntry.of(folder / name) for name in FILES}
    manifest = SegmentManifest(base=base, first=first, last=last, items=len(delta.numbers), removed=len(delta.removed), files=files)
    write_durably(folder / MANIFEST, manifest.model_dump_json(indent=2))
    sync(folder)
    return manifest


def read_manifest(folder: Path, base: Base) -> SegmentManifest:
    """The manifest of the segment in `folder`, which must go on top of `base`. Raises `CorruptSegment` and OSError."""
    name = folder.name
    try:
        record = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = record.get("format_version") if isinstance(record, dict) else None
        if version != FORMAT_VERSION:
            raise CorruptSegment(name, MANIFEST, f"format version: given {version}, allowed: {FORMAT_VERSION}")
        manifest = SegmentManifest.model_validate(record)
    except (UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
        raise CorruptSegment(name, MANIFEST, f"cannot be read ({str(error).splitlines()[0]})") from error
    if manifest.name != name:
        raise CorruptSegment(name, MANIFEST, f"name: given that of segment {manifest.name}, allowed: that of its folder")
    for field in ("generation", "embedder", "dimension"):
        given, allowed = getattr(manifest.base, field), getattr(base, field)
        if given != allowed:
            raise CorruptSegment(name, MANIFEST, f"{field} of the base: given {given!r}, allowed: {allowed!r}")
    if set(manifest.files) != set(FILES):
        raise CorruptSegment(name, MANIFEST, f"files: given {', '.join(sorted(manifest.files))}, allowed: {', '.join(sorted(FILES))}")
    return manifest


def read_segment(folder: Path, base: Base) -> Segment:
    """Check every file of the segment in `folder` and map it into memory.

    Raises `CorruptSegment` naming the first bad file and why, and OSError for what cannot be read now.
    """
    manifest = read_manifest(folder, base)
    for name, entry in manifest.files.items():
        why = difference(folder / name, entry)
        if why:
            raise CorruptSegment(folder.name, name, why)
    arrays = {name: _array(folder, name, dtype) for name, dtype in ARRAYS.items()}
    try:
        with pa.memory_map(str(folder / ITEMS_FILE)) as source:
            table = pa.ipc.open_file(source).read_all()
        numbers = numbers_in(table.column("number").combine_chunks())
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptSegment(folder.name, ITEMS_FILE, f"cannot be read ({str(error).splitlines()[0]})") from error
    m, g = manifest.items, manifest.removed
    lent = (m, arrays["lenders"].shape[-1] if arrays["lenders"].ndim else 0)
    shapes = {"vectors": (m, base.dimension), "has_vector": (m,), "id_hashes": (m,), "removed": (g,), "lenders": lent, "loans": lent}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise CorruptSegment(folder.name, f"{name}.npy", f"shape: given {arrays[name].shape}, allowed: {shape}")
    removed = arrays["removed"]
    _check_order(folder.name, ITEMS_FILE, numbers, m)
    _check_order(folder.name, "removed.npy", removed, g)
    if len(np.intersect1d(numbers, removed)):
        raise CorruptSegment(folder.name, "removed.npy", f"names item {np.intersect1d(numbers, removed)[0]}, which is in {ITEMS_FILE}")
    for name in ("vectors", "loans"):
        if not np.isfinite(arrays[name]).all():
            raise CorruptSegment(folder.name, f"{name}.npy", "given NaN or infinity, allowed: finite numbers")
    halves, loans = arrays["vectors"].view(np.int16), Loans(arrays["lenders"], arrays["loans"].view(np.int16))
    return Segment(manifest, Delta(table, numbers, arrays["id_hashes"], halves, arrays["has_vector"], removed, loans))


def _array(folder: Path, name: str, dtype: np.dtype[np.generic]) -> npt.NDArray[Any]:
    file = f"{name}.npy"
    try:
        array = mapped_array(folder / file)
    except (EOFError, ValueError) as error:
        raise CorruptSegment(folder.name, file, f"cannot be read ({str(error).splitlines()[0]})") from error
    if array.dtype != dtype:
        raise CorruptSegment(folder.name, file, f"type: given {array.dtype}, allowed: {dtype}")
    return array


def _check_order(segment: str, file: str, numbers: npt.NDArray[np.uint32], count: int) -> None:
    if len(numbers) != count:
        raise CorruptSegment(segment, file, f"holds {len(numbers)}, the manifest says {count}")
    if not (numbers[1:] > numbers[:-1]).all():
        raise CorruptSegment(segment, file, "item numbers: given some twice or out of order, allowed: each once, ascending")
