"""The few words in which SQLite's and PostgreSQL's SQL differ; all statements of the store are written for both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """`integer`, `real` and `blob`: the types of 64-bit integers, of doubles and of bytes. `by_change`: what follows `FROM items` where
    the index of changes is to be read instead of the items."""

    integer: str
    real: str
    blob: str
    by_change: str


SQLITE = Dialect(integer="INTEGER", real="REAL", blob="BLOB", by_change="INDEXED BY items_by_change")

# INTEGER has 32 bits here and REAL has 24; the planner finds the index by itself, and there are no hints.
POSTGRESQL = Dialect(integer="BIGINT", real="DOUBLE PRECISION", blob="BYTEA", by_change="")
