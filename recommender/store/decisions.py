"""The served record, in one table per UTC day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from recommender.events import Subject, SubjectKind
from recommender.store.connection import Connection, Readers, Row
from recommender.store.partitions import day_of, make_decisions, rows_of_day, storable_micros
from recommender.store.records import Decision
from recommender.times import from_micros

_COLUMNS = (
    "id, at, subject_kind, subject_id, placement, placement_version, generation_id, profile, basis, seed, change, query, "
    "numbers, sources, probabilities"
)
_MARKS = ", ".join("?" * len(_COLUMNS.split(", ")))
_COUNT = """
    INSERT INTO decision_partitions (day, rows) VALUES (?, ?)
    ON CONFLICT (day) DO UPDATE SET rows = decision_partitions.rows + excluded.rows
"""

DayRow = tuple[str, tuple[object, ...]]


def prepare(decisions: Sequence[Decision]) -> list[DayRow]:
    """Rows to be written, each with its day, by day."""
    return sorted((_day_row(decision) for decision in decisions), key=lambda row: row[0])


def record(connection: Connection, rows: Sequence[DayRow]) -> None:
    """Write `rows`, which are sorted by day, except those that are there."""
    for day, of_day in groupby(rows, key=lambda row: row[0]):
        make_decisions(connection, day)
        written = connection.executemany(
            f"INSERT INTO decisions_{day} ({_COLUMNS}) VALUES ({_MARKS}) ON CONFLICT (id) DO NOTHING", [row for _, row in of_day]
        )
        connection.execute(_COUNT, (day, written.rowcount))


def read(readers: Readers, decision_id: bytes) -> Decision | None:
    """The record of `decision_id`; newer days are looked through first."""
    for (day,) in readers.all("SELECT day FROM decision_partitions ORDER BY day DESC"):
        for row in rows_of_day(readers, "decision_partitions", day, f"SELECT {_COLUMNS} FROM decisions_{day} WHERE id = ?", (decision_id,)):
            return _decision(row)
    return None


def ids(readers: Readers) -> Iterator[bytes]:
    """The ids of all records, newer days first."""
    for (day,) in readers.all("SELECT day FROM decision_partitions ORDER BY day DESC"):
        for (decision_id,) in rows_of_day(readers, "decision_partitions", day, f"SELECT id FROM decisions_{day} ORDER BY id"):
            yield bytes(decision_id)


def _day_row(decision: Decision) -> DayRow:
    at = storable_micros(decision.at, "decision.at")
    subject = decision.subject
    return day_of(at), (
        decision.id,
        at,
        None if subject is None else int(subject.kind),
        None if subject is None else subject.id,
        decision.placement,
        decision.placement_version,
        decision.generation_id,
        decision.profile,
        int(decision.basis),
        # The databases' integers are signed.
        decision.seed - 2**64 if decision.seed >= 2**63 else decision.seed,
        decision.change,
        # The driver binds byte arrays at once, while it looks for a way to adapt bytes each time.
        bytearray(decision.query),
        bytearray(decision.numbers.astype("<u4", copy=False).tobytes()),
        bytearray(decision.sources.astype("u1", copy=False).tobytes()),
        bytearray(decision.probabilities.astype("<f4", copy=False).tobytes()),
    )


def _decision(row: Row) -> Decision:
    decision_id, at, kind, subject_id, placement, version, generation_id, profile, basis, seed, change, query, *arrays = row
    numbers, sources, probabilities = arrays
    return Decision(
        id=decision_id,
        at=from_micros(at),
        subject=None if kind is None else Subject(SubjectKind(kind), subject_id),
        placement=placement,
        placement_version=version,
        generation_id=generation_id,
        profile=profile,
        basis=basis,
        seed=seed % 2**64,
        change=change,
        query=query,
        numbers=np.frombuffer(numbers, dtype="<u4"),
        sources=np.frombuffer(sources, dtype="u1"),
        probabilities=np.frombuffer(probabilities, dtype="<f4"),
    )
