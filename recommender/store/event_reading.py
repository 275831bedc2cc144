"""Reading events as Arrow batches, day by day, in reads short enough to hold no checkpoint up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date

import pyarrow as pa

from recommender.store.connection import Readers, Row
from recommender.store.links import Links
from recommender.store.partitions import day_text, rows_of_day

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

CONTEXT = "context."
"""What the names of columns begin with that hold an entry of the events' contexts: dictionary-encoded text, "" where one has none."""

_PARTITIONS = "SELECT day FROM event_partitions WHERE last_sequence > ? AND first_sequence <= ? ORDER BY day"
_ROWS = "SELECT {columns} FROM events_{day} WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
_NEWEST_PARTITIONS = """
    SELECT day FROM event_partitions WHERE day >= ? AND last_sequence > ? AND first_sequence <= ? ORDER BY day DESC
"""
_NEWEST_ROWS = "SELECT {columns} FROM events_{day} WHERE sequence > ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?"


def walk(readers: Readers, *, since: int, upto: int, batch: int, context: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Events with `since` < sequence ≤ `upto`, by day, then sequence, at most `batch` to a record batch.

    The events of people who were linked up to `upto` are all those of one person. Days that expire meanwhile may be left out, or end early.
    `context`: entries of the events' contexts that are wanted as further columns.
    """
    links = Links.read(readers, upto=upto)
    columns = _columns(context)
    waiting: list[Row] = []
    for (day,) in readers.all(_PARTITIONS, (since, upto)):
        sql = _ROWS.format(columns=columns, day=day)
        last = since
        while rows := rows_of_day(readers, "event_partitions", day, sql, (last, upto, batch - len(waiting))):
            last = rows[-1][0]
            waiting.extend(rows)
            if len(waiting) == batch:
                yield _record_batch(waiting, links, context)
                waiting = []
    if waiting:
        yield _record_batch(waiting, links, context)


def newest_first(
    readers: Readers, *, first_day: date, since: int, upto: int, batch: int, context: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Events of `first_day` (UTC) or later with `since` < sequence ≤ `upto`, as `walk` gives them, but the newest days first, and of a day
    what came last first; each batch is of one day. Whoever has enough may stop at any batch."""
    links = Links.read(readers, upto=upto)
    columns = _columns(context)
    for (day,) in readers.all(_NEWEST_PARTITIONS, (day_text(first_day), since, upto)):
        sql = _NEWEST_ROWS.format(columns=columns, day=day)
        last = upto
        while rows := rows_of_day(readers, "event_partitions", day, sql, (since, last, batch)):
            yield _record_batch(rows, links, context)
            last = rows[-1][0] - 1


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


def _columns(context: Sequence[str]) -> str:
    return ", ".join([*SCHEMA.names, *(["context"] if context else [])])


def _record_batch(rows: list[Row], links: Links, context: Sequence[str]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    arrays = []
    for field, values in zip(SCHEMA, columns, strict=False):
        array = pa.array(values, type=field.type)
        if field.name == "person":
            array = pa.array(links.whose(array.to_numpy()))
        arrays.append(array.fill_null(float("nan")) if array.null_count else array)
    if not context:
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    said = _entries(columns[-1], context)
    fields = [pa.field(CONTEXT + name, array.type, nullable=False) for name, array in zip(context, said, strict=True)]
    return pa.RecordBatch.from_arrays([*arrays, *said], schema=pa.schema([*SCHEMA, *fields]))


def _entries(contexts: Sequence[str | None], wanted: Sequence[str]) -> list[pa.DictionaryArray]:
    """The entries `wanted` of contexts as they are kept, "" where one has none."""
    read: dict[str | None, dict[str, str]] = {}
    for text in contexts:
        if text not in read:
            read[text] = json.loads(text) if text else {}
    entries = []
    for name in wanted:
        codes: dict[str, int] = {}
        places = {text: codes.setdefault(said.get(name, ""), len(codes)) for text, said in read.items()}
        indices = pa.array([places[text] for text in contexts], type=pa.int32())
        entries.append(pa.DictionaryArray.from_arrays(indices, pa.array(list(codes), type=pa.string())))
    return entries
