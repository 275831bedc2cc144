"""One way into all formats."""

from __future__ import annotations

from contextlib import AbstractContextManager

from indexing.importing.files import Format, ImportFile
from indexing.importing.read_arrow import read_arrow
from indexing.importing.read_csv import read_csv
from indexing.importing.read_jsonl import read_jsonl
from indexing.importing.read_parquet import read_parquet
from indexing.importing.rows import Table

_READERS = {Format.CSV: read_csv, Format.JSONL: read_jsonl, Format.PARQUET: read_parquet, Format.ARROW: read_arrow}


def open_table(file: ImportFile) -> AbstractContextManager[Table]:
    """The rows of `file`, whatever its format. Raises `InvalidInput` when the file as a whole cannot be read."""
    return _READERS[file.format](file)
