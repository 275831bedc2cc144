"""CSV: comma separated, quoted as in RFC 4180, one header line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from indexing.importing.files import ImportFile, open_text
from indexing.importing.lines import BoundedLines, Line
from indexing.importing.rows import RECORD_LIMIT, BadRow, Row, Table
from recommender.errors import InvalidInput


@contextmanager
def read_csv(file: ImportFile) -> Iterator[Table]:
    """Opens a CSV file. Raises `InvalidInput` when there is no usable header line."""
    # The limit belongs to the csv module, not to a reader, and its default is below the longest text allowed. It is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), RECORD_LIMIT))
    with open_text(file) as text:
        records = _records(BoundedLines(text.stream))
        header = _header(file, records)
        yield Table(tuple(name for name in header if name), _rows(records, header), untyped=True, position=text.position)


class _TooLong(Exception):
    """The record being read has grown beyond `RECORD_LIMIT`."""


class _RecordLines:
    """Feeds `csv.reader` and remembers the lines of the record being read, so that reading can resume after its first line.

    Without that, one quote that is never closed would swallow the rest of the file.
    """

    def __init__(self, lines: BoundedLines) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._size = 0
        self.record: list[Line] = []

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._lines.read()
        if line is None:
            raise StopIteration
        self.record.append(line)
        self._size += len(line.text)
        if line.too_long or self._size > RECORD_LIMIT:
            raise _TooLong
        return line.text

    def begin(self) -> None:
        self.record = []
        self._size = 0

    def resume_after_first_line(self) -> None:
        self._again.extendleft(reversed(self.record[1:]))


def _records(lines: BoundedLines) -> Iterator[tuple[int, list[str]] | BadRow]:
    source = _RecordLines(lines)
    reader = csv.reader(source, strict=True)
    while True:
        source.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (_TooLong, csv.Error) as error:
            yield _broken(source.record[0], error)
            source.resume_after_first_line()
            reader = csv.reader(source, strict=True)
            continue
        first = source.record[0]
        problem = next((line.problem for line in source.record if line.problem), "")
        if problem:
            yield BadRow(first.number, problem, "".join(line.text for line in source.record))
        elif fields:
            yield first.number, fields


def _broken(first: Line, error: Exception) -> BadRow:
    if first.problem:
        return BadRow(first.number, first.problem, first.text)
    if isinstance(error, _TooLong):
        return BadRow(first.number, f"a quoted field does not end within {RECORD_LIMIT:,} characters", first.text)
    return BadRow(first.number, f"the quotes do not match ({error})", first.text)


def _header(file: ImportFile, records: Iterator[tuple[int, list[str]] | BadRow]) -> list[str]:
    """Column names, "" for a column without one (as data frames write their index)."""
    first = next(records, None)
    if first is None:
        raise InvalidInput("file", file.name, "a header line with the names of the columns; this file is empty")
    if isinstance(first, BadRow):
        raise InvalidInput(f"{file.name} line {first.line}", first.raw, f"a header line with the names of the columns ({first.problem})")
    names = [name.strip() for name in first[1]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InvalidInput(f"{file.name} line {first[0]}", ", ".join(twice), "a header line that names each column once")
    return names


def _rows(records: Iterator[tuple[int, list[str]] | BadRow], header: list[str]) -> Iterator[Row | BadRow]:
    for record in records:
        if isinstance(record, BadRow):
            yield record
            continue
        line, fields = record
        if len(fields) != len(header):
            yield BadRow(line, f"the row has {len(fields)} fields where the header has {len(header)}", ",".join(fields))
        else:
            yield Row(line, {name: value for name, value in zip(header, fields, strict=True) if name})
