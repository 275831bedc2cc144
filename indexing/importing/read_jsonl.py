"""JSONL: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice

from indexing.importing.files import ImportFile, open_text
from indexing.importing.lines import BoundedLines
from indexing.importing.rows import BadRow, Row, Table
from recommender.errors import InvalidInput

LOOKED_AT = 100
"""Rows read ahead to tell which columns there are, so that a file of foreign names is refused at once."""


@contextmanager
def read_jsonl(file: ImportFile) -> Iterator[Table]:
    """Opens a JSONL file. Raises `InvalidInput` when it is one JSON array."""
    with open_text(file) as text:
        rows = _rows(file, BoundedLines(text.stream))
        ahead = list(islice(rows, LOOKED_AT))
        columns = dict.fromkeys(name for row in ahead if isinstance(row, Row) for name in row.values)
        yield Table(tuple(columns), chain(ahead, rows), untyped=False, position=text.position)


def _rows(file: ImportFile, lines: BoundedLines) -> Iterator[Row | BadRow]:
    while (line := lines.read()) is not None:
        text = line.text.strip()
        if line.problem:
            yield BadRow(line.number, line.problem, text)
        elif text:
            if line.number == 1 and text.startswith("["):
                raise InvalidInput("file", file.name, "one JSON object per line; this file begins with a list")
            yield _row(line.number, text)


def _row(number: int, text: str) -> Row | BadRow:
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        return BadRow(number, "not JSON that can be read: nested too deeply", text)
    except ValueError as error:
        return BadRow(number, f"not JSON: {error}", text)
    if not isinstance(values, dict):
        return BadRow(number, "not a JSON object", text)
    return Row(number, values)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")
