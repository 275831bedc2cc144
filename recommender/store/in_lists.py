"""SQL over long lists of values: `… IN (…)` in chunks of few different lengths, so that prepared statements are used again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from recommender.store.connection import Connection, Row

CHUNK = 512

Execute = Callable[[str, Sequence[object]], list[Row]]


def executing(connection: Connection) -> Execute:
    """How to read all rows of one statement from `connection`."""
    return lambda sql, parameters: connection.execute(sql, parameters).fetchall()


def rows_in(execute: Execute, sql: str, values: Sequence[object], *, before: tuple[object, ...] = ()) -> Iterator[Row]:
    """Rows of `sql`, in which {} stands for the marks of `values`; `before` are the parameters that come ahead of them."""
    for start in range(0, len(values), CHUNK):
        chunk = list(values[start : start + CHUNK])
        length = 1 << (len(chunk) - 1).bit_length()
        chunk.extend(chunk[-1:] * (length - len(chunk)))
        yield from execute(sql.format(",".join("?" * length)), (*before, *chunk))
