"""Reading events as Arrow batches, day by day, in reads short enough to hold no checkpoint up."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from recommender.store.connection import Readers, Row
from recommender.store.links import Links
from recommender.store.partitions import rows_of_day

SCHEMA = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("person", pa.uint32(), nullable=False),
        pa.field("item", pa.uint32(), nullable=False),
        pa.field("type", pa.uint8(), nullable=False),
        pa.field("value", pa.float32(), nullable=False),
        pa.field("portion", pa.float32(), nullable=False),
        pa.field("dwell_s", pa.float32(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),
        pa.field("consent", pa.uint8(), nullable=False),
    ]
)
"""Columns of the batches; NaN where an event has no value, portion or dwell_s."""

_PARTITIONS = "SELECT day FROM event_partitions WHERE last_sequence > ? AND first_sequence <= ? ORDER BY day"
_ROWS = "SELECT {columns} FROM events_{day} WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"


def walk(readers: Readers, *, since: int, upto: int, batch: int) -> Iterator[pa.RecordBatch]:
    """Events with `since` < sequence ≤ `upto`, by day, then sequence, at most `batch` to a record batch.

    The events of people who were linked up to `upto` are all those of one person. Days that expire meanwhile may be left out, or end early.
    """
    links = Links.read(readers, upto=upto)
    columns = ", ".join(SCHEMA.names)
    waiting: list[Row] = []
    for (day,) in readers.all(_PARTITIONS, (since, upto)):
        sql = _ROWS.format(columns=columns, day=day)
        last = since
        while rows := rows_of_day(readers, "event_partitions", day, sql, (last, upto, batch - len(waiting))):
            last = rows[-1][0]
            waiting.extend(rows)
            if len(waiting) == batch:
                yield _record_batch(waiting, links)
                waiting = []
    if waiting:
        yield _record_batch(waiting, links)


def count(readers: Readers, upto: int) -> int:
    """How many events have a sequence value of at most `upto`."""
    total = 0
    for day, first, last, rows in readers.all("SELECT day, first_sequence, last_sequence, rows FROM event_partitions"):
        if last <= upto:
            total += rows
        elif first <= upto:
            rows_there = rows_of_day(readers, "event_partitions", day, f"SELECT count(*) FROM events_{day} WHERE sequence <= ?", (upto,))
            total += sum(count for (count,) in rows_there)
    return total


def _record_batch(rows: list[Row], links: Links) -> pa.RecordBatch:
    arrays = []
    for field, values in zip(SCHEMA, zip(*rows, strict=True), strict=True):
        array = pa.array(values, type=field.type)
        if field.name == "person":
            array = pa.array(links.whose(array.to_numpy()))
        arrays.append(array.fill_null(float("nan")) if array.null_count else array)
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
