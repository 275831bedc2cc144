"""Arrow's own files (the IPC file format, which Feather is as well), in record batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from indexing.importing.files import ImportFile
from indexing.importing.read_parquet import BATCH_ROWS, distinct, rows_of
from indexing.importing.rows import BadRow, Row, Table
from recommender.errors import InvalidInput


@contextmanager
def read_arrow(file: ImportFile) -> Iterator[Table]:
    """Opens an Arrow file. Raises `InvalidInput` when it is damaged or something else, such as Arrow's format for streams."""
    try:
        # Not mapped into memory: a file that is cut short meanwhile would end the process.
        with pa.OSFile(str(file.path)) as source, pa.ipc.open_file(source) as reader:
            total = reader.num_record_batches
            done = [0]
            yield Table(
                distinct(reader.schema.names, file),
                _rows(reader, done),
                untyped=False,
                position=lambda: done[0] / total if total else 1.0,
                batches=lambda size: _batches(reader, size, done),
            )
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput("file", file.name, f"an undamaged Arrow file ({error})") from error


def _rows(reader: pa.ipc.RecordBatchFileReader, done: list[int]) -> Iterator[Row | BadRow]:
    line = 1
    for batch in _batches(reader, BATCH_ROWS, done):
        yield from rows_of(batch, range(line, line + len(batch)))
        line += len(batch)


def _batches(reader: pa.ipc.RecordBatchFileReader, size: int, done: list[int]) -> Iterator[pa.RecordBatch]:
    """The file's batches in pieces of at most `size` rows; `done` counts batches that have begun."""
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        done[0] = number + 1
        for first in range(0, len(batch), size):
            yield batch.slice(first, size)
