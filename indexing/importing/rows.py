"""What a file reader hands over: rows by line, and the rows that could not even be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

RECORD_LIMIT = 4 * 1024 * 1024
"""Characters that one line or one CSV record may have: the longest text allowed, fully escaped, with a vector beside it."""


class Row(NamedTuple):
    """One row. `line` is where it begins, from 1, as an editor shows it; in Parquet the row's number. `values` by column."""

    line: int
    values: Mapping[str, object]


class BadRow(NamedTuple):
    """A row that cannot be read: `problem` says why, `raw` is what stands there, possibly cut."""

    line: int
    problem: str
    raw: str


@dataclass(frozen=True)
class Table:
    """One open file.

    `columns`: the names found; in JSONL those of the first rows only, empty when there are no rows to tell by. `rows` can be gone through
    once. `untyped`: every value is text, so that types must be guessed where the schema leaves them open. `position`: the
    part of the file that was read so far, 0 to 1. `batches`: the rows in columns, in batches of at most so many rows, where the
    format has columns; either these or `rows` are gone through.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    untyped: bool
    position: Callable[[], float]
    batches: Callable[[int], Iterator[pa.RecordBatch]] | None = None
