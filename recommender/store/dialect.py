"""The few words in which SQLite's and PostgreSQL's SQL differ; all statements of the store are written for both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """`integer`, `real` and `blob`: the types of 64-bit integers, of doubles and of bytes. `by_change`: what follows `FROM items` where
    the index of changes is to be read instead of the items. `row_bytes`: about how many bytes more than in SQLite a row takes.
    `before_dropping` and `after_dropping`: what is said around the dropping of a table, so that it waits for nobody's long read."""

    integer: str
    real: str
    blob: str
    by_change: str
    row_bytes: int
    before_dropping: tuple[str, ...] = ()
    after_dropping: tuple[str, ...] = ()


SQLITE = Dialect(integer="INTEGER", real="REAL", blob="BLOB", by_change="INDEXED BY items_by_change", row_bytes=0)

# INTEGER has 32 bits here and REAL has 24; the planner finds the index by itself, and there are no hints. A table is dropped once nobody
# reads it, and until then nobody could write anything: a dump of the database takes hours.
POSTGRESQL = Dialect(
    integer="BIGINT",
    real="DOUBLE PRECISION",
    blob="BYTEA",
    by_change="",
    row_bytes=120,
    before_dropping=("SET LOCAL lock_timeout = '1s'",),
    after_dropping=("SET LOCAL lock_timeout TO DEFAULT",),
)
