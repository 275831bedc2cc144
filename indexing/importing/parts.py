"""A file's rows in parts of bounded size, as records or with what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import pyarrow as pa

from indexing.importing.column_map import ColumnPicker
from indexing.importing.read_parquet import rows_of
from indexing.importing.rejects import Problem
from indexing.importing.rows import BadRow, Row, Table
from indexing.importing.targets import Target
from indexing.importing.values import Values
from recommender.errors import InvalidInput

PART_BYTES = 32 * 1024 * 1024
"""A part ends early when its records take about this much."""

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Part(Generic[R]):
    """Rows that follow one another: `first` is the place of the first one among all rows of the import. `records`: of each row,
    None where it makes none; `problems` say why, by the row's place in the part. `row` gives a row by that place."""

    first: int
    records: Sequence[R | None]
    problems: dict[int, Problem]
    row: Callable[[int], Row | BadRow]

    @property
    def end(self) -> int:
        """The place after the last row, among all rows of the import."""
        return self.first + len(self.records)


def parts(table: Table, picker: ColumnPicker, target: Target[R], *, first: int, size: int) -> Iterator[Part[R]]:
    """The rows of `table` in parts of at most `size` rows and about `PART_BYTES`; its first row is number `first` of the import."""
    if table.batches is not None and target.by_columns:
        return _by_columns(table.batches(min(size, PART_BYTES // target.least_weight)), picker, target, first)
    return _by_rows(table, picker, target, first, size)


def _by_rows(table: Table, picker: ColumnPicker, target: Target[R], first: int, size: int) -> Iterator[Part[R]]:
    rows: list[Row | BadRow] = []
    records: list[R | None] = []
    problems: dict[int, Problem] = {}
    weight = 0
    recorded = partial(target.record, untyped=table.untyped)
    for row in table.rows:
        record, problem = _judged(row, picker, recorded)
        if problem is not None:
            problems[len(rows)] = problem
        rows.append(row)
        records.append(record)
        weight += target.weight(record) if record is not None else len(row.raw) if isinstance(row, BadRow) else 0
        if len(rows) >= size or weight >= PART_BYTES:
            yield Part(first, records, problems, rows.__getitem__)
            first += len(rows)
            rows, records, problems, weight = [], [], {}, 0
    if rows:
        yield Part(first, records, problems, rows.__getitem__)


def _by_columns(batches: Iterator[pa.RecordBatch], picker: ColumnPicker, target: Target[R], first: int) -> Iterator[Part[R]]:
    line = 1
    for batch in batches:
        yield _part(batch, picker, target, first, line)
        first += len(batch)
        line += len(batch)


def _part(batch: pa.RecordBatch, picker: ColumnPicker, target: Target[R], first: int, line: int) -> Part[R]:
    picker.notice(batch.schema.names)
    records = target.records(batch, picker.sources(), picker.constants)
    left = [place for place, record in enumerate(records) if record is None]
    problems: dict[int, Problem] = {}
    # What is out of the ordinary goes the way of all rows, which knows what to say about it.
    recorded = partial(target.record, untyped=False)
    for place, row in zip(left, rows_of(batch.take(left), [line + place for place in left]) if left else (), strict=True):
        record, problem = _judged(row, picker, recorded)
        records[place] = record
        if problem is not None:
            problems[place] = problem
    return Part(first, records, problems, lambda place: next(rows_of(batch.slice(place, 1), [line + place])))


def _judged(row: Row | BadRow, picker: ColumnPicker, record: Callable[[Values], R]) -> tuple[R | None, Problem | None]:
    if isinstance(row, BadRow):
        return None, Problem(row.problem, row.problem)
    try:
        return record(picker.pick(row.values)), None
    except InvalidInput as error:
        return None, Problem.of(error)
