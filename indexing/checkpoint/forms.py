"""How what each stage of a build makes is written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from indexing.checkpoint.records import read_record, write_record
from indexing.embedding import CatalogueVectors, Wanted
from indexing.embedding.wanted import read_wanted, write_wanted
from indexing.gate import Latencies
from indexing.snapshot import Snapshot
from recommender.generation import Contents, GateCheck
from recommender.generation.catalogue import Catalogue
from recommender.mapped_arrays import mapped_array
from recommender.search.query_encoder import QueryEncoder
from recommender.vectors import VectorIndex

Made = TypeVar("Made")

CATALOGUE, NEAR, REST = "items.arrow", "near.npy", "rest"
HASHED = ("id_hashes", "id_rows", "row_of_number")
GIVEN = ("catalogue", "vectors", "has_vector", "words", "encoder")
"""Fields of contents that other stages than learning make."""


@dataclass(frozen=True)
class Form(Generic[Made]):
    """`write(made, folder)` writes what a stage made into an existing folder, `read(folder)` reads it; equal inputs to later stages come of
    both. They raise OSError and RuntimeError where the disk fails, and ValueError, TypeError or KeyError for files that are none."""

    write: Callable[[Made, Path], None]
    read: Callable[[Path], Made]


@dataclass(frozen=True, eq=False)
class Read:
    """What was read: a snapshot without its items, and what of those decides their vectors."""

    snapshot: Snapshot
    wanted: list[Wanted]


@dataclass(frozen=True, eq=False)
class Indexed:
    """Vectors in an index, and what else came of embedding."""

    index: VectorIndex
    embedded: CatalogueVectors


def _write_read(made: Read, folder: Path) -> None:
    catalogue = made.snapshot.catalogue
    with pa.OSFile(str(folder / CATALOGUE), "wb") as sink, pa.ipc.new_file(sink, catalogue.table.schema) as writer:
        writer.write_table(catalogue.table)
    for name in HASHED:
        np.save(folder / f"{name}.npy", getattr(catalogue, name), allow_pickle=False)
    write_record([made.snapshot.events, made.snapshot.watermark], folder)
    write_wanted(made.wanted, folder)


def _read_read(folder: Path) -> Read:
    with pa.memory_map(str(folder / CATALOGUE)) as source:
        table = pa.ipc.open_file(source).read_all()
    events, watermark = read_record(folder)
    catalogue = Catalogue(table, *(np.load(folder / f"{name}.npy", allow_pickle=False) for name in HASHED))
    return Read(Snapshot([], catalogue, events, watermark), read_wanted(folder))


def _write_indexed(made: Indexed, folder: Path) -> None:
    made.index.write(folder)
    np.save(folder / NEAR, made.index.near, allow_pickle=False)
    write_record(made.embedded, folder)


def _read_indexed(folder: Path) -> Indexed:
    return Indexed(VectorIndex.read(folder, mapped_array(folder / NEAR)), read_record(folder))


def _write_learnt(made: Contents, folder: Path) -> None:
    write_record({field.name: getattr(made, field.name) for field in fields(made) if field.name not in GIVEN}, folder)


def _write_checked(made: tuple[list[GateCheck], Latencies], folder: Path) -> None:
    checks, latencies = made
    write_record([[check.model_dump() for check in checks], latencies], folder)


def _read_checked(folder: Path) -> tuple[list[GateCheck], Latencies]:
    checks, latencies = read_record(folder)
    return [GateCheck.model_validate(check) for check in checks], latencies


def _write_name(made: str, folder: Path) -> None:
    (folder / "id.json").write_text(json.dumps(made), encoding="utf-8")


def _read_name(folder: Path) -> str:
    return str(json.loads((folder / "id.json").read_text(encoding="utf-8")))


def _write_encoder(made: QueryEncoder, folder: Path) -> None:
    _write_name("" if made.folder is None else str(made.folder), folder)


def _read_encoder(folder: Path) -> QueryEncoder:
    kept = _read_name(folder)
    return QueryEncoder.read(Path(kept)) if kept else QueryEncoder.none()


RECORD: Form[Any] = Form(write_record, read_record)
READ = Form(_write_read, _read_read)
INDEXED = Form(_write_indexed, _read_indexed)
CHECKED = Form(_write_checked, _read_checked)
NAME = Form(_write_name, _read_name)
ENCODER = Form(_write_encoder, _read_encoder)
"""Where the query encoder is kept among cached vectors."""


def learnt_of(read: Read, indexed: Indexed) -> Form[Contents]:
    """Contents, without what was `read` and `indexed` before."""

    def read_learnt(folder: Path) -> Contents:
        learnt = read_record(folder)
        return Contents(catalogue=read.snapshot.catalogue, vectors=indexed.index, has_vector=indexed.embedded.has_vector, **learnt)

    return Form(_write_learnt, read_learnt)


def without_vectors(embedded: CatalogueVectors) -> CatalogueVectors:
    """What came of embedding but the vectors, which an index holds then; learning needs the memory that they take."""
    return replace(embedded, vectors=embedded.vectors[:0].copy())
