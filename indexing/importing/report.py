"""What an import did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

REASONS_SHOWN = 10


@dataclass(frozen=True)
class ImportReport:
    """The outcome of one import.

    `rows` were read, of them `rejected` set aside (`reasons` counts them, `rejects_file` holds them; None if there are none).
    `counts`: the others by outcome; empty after a dry run, where `valid` says how many would be written. `ignored_columns`: names in the
    files that mean nothing here.
    """

    what: str
    files: tuple[str, ...]
    rows: int
    valid: int
    rejected: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    rejects_file: str | None
    ignored_columns: tuple[str, ...]
    dry_run: bool

    def as_json(self) -> dict[str, object]:
        """The report as a JSON object, its fields by their names."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report in words, one line each."""
        done = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        lines = [f"{self.what}: {self.rows:,} rows read, " + (f"{self.valid:,} would be written (dry run)" if self.dry_run else done)]
        if self.ignored_columns:
            lines.append(f"ignored columns: {', '.join(self.ignored_columns)}")
        if self.rejected:
            lines.append(f"{self.rejected:,} rows rejected, see {self.rejects_file}")
            lines.extend(f"  {line}" for line in reason_lines(self.reasons))
        return lines


def reason_lines(reasons: Mapping[str, int]) -> list[str]:
    """The most frequent reasons with their counts, and how many rows have another one."""
    shown = list(reasons.items())[:REASONS_SHOWN]
    lines = [f"{count:,} × {reason}" for reason, count in shown]
    rest = sum(reasons.values()) - sum(count for _, count in shown)
    return lines + ([f"{rest:,} × for other reasons"] if rest else [])
