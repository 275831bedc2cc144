"""An import in two passes: the first checks every row and writes nothing, the second writes what the first found good.

So a refused import leaves the store as it was, and no transaction has to span the whole of the files. Memory is bounded by
the batch, and by 24 bytes per row for finding repeated keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyroaring import BitMap

from indexing.importing.column_map import ColumnMap, ColumnPicker, check_columns, check_mapped
from indexing.importing.files import FileIdentity, ImportFile, identity_of
from indexing.importing.open_table import open_table
from indexing.importing.parts import parts
from indexing.importing.rejects import Problem, RejectLimit, Rejects
from indexing.importing.repeated_keys import Keys
from indexing.importing.report import ImportReport, reason_lines
from indexing.importing.rows import BadRow, Row
from indexing.importing.targets import Target, Written
from indexing.progress import Reporter
from recommender.errors import ImportRefused, InvalidInput

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Checked(Generic[R]):
    """An import whose first pass found too little against it to refuse it.

    `files` with the number of their rows. `skip`: ordinals of the rows that will not be written, of which `overruled` are
    good ones that another row of the same key takes the place of.
    """

    target: Target[R]
    mapping: ColumnMap
    files: tuple[tuple[ImportFile, FileIdentity, int], ...]
    batch: int
    rows: int
    skip: BitMap
    overruled: int
    ignored_columns: tuple[str, ...]

    @property
    def valid(self) -> int:
        """How many rows will be written."""
        return self.rows - len(self.skip)


def check(
    target: Target[R],
    files: Sequence[ImportFile],
    mapping: ColumnMap,
    rejects: Rejects,
    *,
    limit: RejectLimit,
    batch: int,
    reporter: Reporter,
) -> Checked[R]:
    """The first pass: reads everything, sets bad rows aside, writes nothing to the store.

    `batch`: rows per write. Raises `InvalidInput` where a file cannot be read as a whole or changes meanwhile, and
    `ImportRefused` where more rows are bad than `limit` allows.
    """
    skip = BitMap()
    keys = Keys()
    ignored: dict[str, None] = {}
    identities = []
    rows = 0
    for file in files:
        identity = identity_of(file)
        before = rows
        picker = ColumnPicker(mapping)
        with open_table(file) as table, reporter.stage(f"checking {file.path.name}") as stage:
            if table.columns:
                check_columns(table.columns, mapping, file)
            for part in parts(table, picker, target, first=rows, size=batch):
                good = [(place, record) for place, record in enumerate(part.records) if record is not None]
                found = target.problems([record for _, record in good])
                problems = {**part.problems, **{good[index][0]: problem for index, problem in found.items()}}
                for place in sorted(problems):
                    _set_aside(rejects, file, part.row(place), problems[place])
                skip.update([part.first + place for place in problems])
                good = [(place, record) for place, record in good if place not in problems] if found else good
                keys.extend([part.first + place for place, _ in good], [target.key(record) for _, record in good])
                rows = part.end
                stage(rows - before, _estimate(rows - before, table.position()))
            stage(rows - before, rows - before)
        _check_same(file, identity, written=0)
        identities.append((file, identity, rows - before))
        # A file whose rows are all unreadable has other problems than its map.
        if picker.found:
            check_mapped(picker.absent, picker.found, mapping, file)
        ignored.update(dict.fromkeys(picker.unknown))
    if limit.exceeded(rejects.count, rows):
        raise _too_many(rejects, rows, limit, "nothing was imported")
    overruled = keys.overruled(latest_wins=target.latest_wins)
    skip.update(overruled.tolist())
    return Checked(target, mapping, tuple(identities), batch, rows, skip, len(overruled), tuple(ignored))


def write(
    checked: Checked[R],
    put: Callable[[Sequence[R]], Written],
    rejects: Rejects,
    *,
    reporter: Reporter,
    limit: RejectLimit | None = None,
) -> ImportReport:
    """The second pass: has `put` write the good rows in batches, each of them durably.

    Raises `InvalidInput` where a file is no longer the one that was checked; what was written until then was checked. Raises
    `ImportRefused` as soon as `put` has refused so many rows that more are bad than `limit` allows, and what `put` raises.
    """
    counts: Counter[str] = Counter()
    written = 0
    first = 0
    for file, identity, rows in checked.files:
        before = first
        _check_same(file, identity, written=written)
        with open_table(file) as table, reporter.stage(f"importing {file.path.name}") as stage:
            for part in parts(table, ColumnPicker(checked.mapping), checked.target, first=first, size=checked.batch):
                _check_same(file, identity, written=written)
                skipped = checked.skip & BitMap(range(part.first, part.end))
                good = [
                    (place, record)
                    for place, record in enumerate(part.records)
                    if record is not None and (not skipped or part.first + place not in skipped)
                ]
                outcome = put([record for _, record in good])
                counts.update(outcome.counts)
                for index, problem in outcome.refused.items():
                    _set_aside(rejects, file, part.row(good[index][0]), problem)
                written += len(good) - len(outcome.refused)
                if limit is not None and limit.exceeded(rejects.count, checked.rows):
                    raise _too_many(rejects, checked.rows, limit, f"{written:,} good rows were written before")
                first = part.end
                stage(first - before, rows)
        _check_same(file, identity, written=written)
    return report(checked, rejects, counts=_all_counts(checked, counts), dry_run=False)


def report(checked: Checked[R], rejects: Rejects, *, counts: dict[str, int], dry_run: bool) -> ImportReport:
    """The report on a checked import with the `counts` of what was written."""
    return ImportReport(
        what=checked.target.schema.name,
        files=tuple(file.name for file, _, _ in checked.files),
        rows=checked.rows,
        valid=checked.valid,
        rejected=rejects.count,
        counts=counts,
        reasons=rejects.reasons,
        rejects_file=str(rejects.path) if rejects.count else None,
        ignored_columns=checked.ignored_columns,
        dry_run=dry_run,
    )


def _too_many(rejects: Rejects, rows: int, limit: RejectLimit, done: str) -> ImportRefused:
    why = "; ".join(reason_lines(rejects.reasons))
    return ImportRefused(f"{rejects.count:,} of {rows:,} rows are bad, more than the allowed {limit}; {done}, see {rejects.path}: {why}")


def _all_counts(checked: Checked[R], counts: Counter[str]) -> dict[str, int]:
    """Every outcome by name, also those that did not occur; rows that another row overruled count as what they are."""
    named = {name: counts[name] for name in checked.target.outcomes}
    overruled = "superseded" if checked.target.latest_wins else "duplicates"
    named[overruled] = named.get(overruled, 0) + checked.overruled
    return named


def _estimate(rows: int, position: float) -> int | None:
    """How many rows a file will turn out to have, by the part of its bytes that `rows` took; None before anything is known."""
    return max(rows, round(rows / position)) if position > 0 else None


def _set_aside(rejects: Rejects, file: ImportFile, row: Row | BadRow, problem: Problem) -> None:
    rejects.add(file, row.line, problem, row.raw if isinstance(row, BadRow) else dict(row.values))


def _check_same(file: ImportFile, identity: FileIdentity, *, written: int) -> None:
    if identity_of(file) != identity:
        done = f"{written:,} good rows were written before" if written else "nothing was imported"
        raise InvalidInput("file", file.name, f"a file that does not change during the import ({done}; importing it again is safe)")
