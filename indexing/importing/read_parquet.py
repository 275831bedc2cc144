"""Parquet, in record batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from indexing.importing.files import ImportFile
from indexing.importing.rows import BadRow, Row, Table
from recommender.errors import InvalidInput
from recommender.times import from_micros

BATCH_ROWS = 1_000
_MICROS_OF = {"s": 1_000_000, "ms": 1_000, "us": 1}


@contextmanager
def read_parquet(file: ImportFile) -> Iterator[Table]:
    """Opens a Parquet file. Raises `InvalidInput` when it is damaged or something else."""
    try:
        # By its path, a file of this machine is read without Python.
        with file.opened() as raw, pq.ParquetFile(file.path if file.place is None else raw) as parquet:
            total = parquet.metadata.num_rows
            done = [0]
            yield Table(
                distinct(parquet.schema_arrow.names, file),
                _rows(parquet, done),
                untyped=False,
                position=lambda: done[0] / total if total else 1.0,
                batches=lambda size: _batches(parquet, size, done),
            )
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput("file", file.name, f"an undamaged Parquet file ({error})") from error


def distinct(names: Sequence[str], file: ImportFile) -> tuple[str, ...]:
    """The names of the columns of `file`. Raises `InvalidInput` where one occurs twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(file.name, ", ".join(twice), "each column named once")
    return tuple(names)


def rows_of(batch: pa.RecordBatch, lines: Sequence[int]) -> Iterator[Row]:
    """The rows of `batch`, which have the numbers `lines` in their file."""
    names = batch.schema.names
    columns = [_values(column) for column in batch.columns]
    for line, *values in zip(lines, *columns, strict=True):
        yield Row(line, dict(zip(names, values, strict=True)))


def _rows(parquet: pq.ParquetFile, done: list[int]) -> Iterator[Row | BadRow]:
    for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
        for row in rows_of(batch, range(done[0] + 1, done[0] + len(batch) + 1)):
            done[0] += 1
            yield row


def _batches(parquet: pq.ParquetFile, size: int, done: list[int]) -> Iterator[pa.RecordBatch]:
    for batch in parquet.iter_batches(batch_size=size):
        done[0] += len(batch)
        yield batch


def _values(column: pa.Array) -> list[object]:
    """Plain Python values; lists of numbers stay arrays, since a vector as a list of Python floats takes eight times the memory."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return _moments(column)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if is_list and pa.types.is_floating(kind.value_type):
        return [None if not scalar.is_valid else scalar.values.to_numpy(zero_copy_only=False) for scalar in column]
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> object:
    """The value, or its text where Python has no such date: it is then refused by name with its row."""
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return str(scalar)


def _moments(column: pa.Array) -> list[object]:
    """Aware times; those without zone count as UTC. What lies outside the years 1 to 9999 becomes text, to be refused with its row."""
    unit = column.type.unit
    ticks = column.cast(pa.int64()).to_pylist()
    moments: list[object] = []
    for tick in ticks:
        if tick is None:
            moments.append(None)
            continue
        try:
            moments.append(from_micros(tick // 1_000 if unit == "ns" else tick * _MICROS_OF[unit]))
        except OverflowError:
            moments.append(f"{tick} {unit} since 1970")
    return moments
