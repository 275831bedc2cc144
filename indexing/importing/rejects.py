"""Rows that are set aside: how many may be, and the file that says which and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

from indexing.importing.files import ImportFile
from recommender.errors import InvalidInput

VALUE_LIMIT = 500
"""Characters of one value that are kept of a rejected row."""

ROW_LIMIT = 10_000
"""Characters of a rejected row that are kept."""

REASONS_LIMIT = 200
"""Different reasons that are counted one by one; the others are counted together."""

OTHER_REASONS = "other reasons"


@dataclass(frozen=True)
class RejectLimit:
    """How many rows may be rejected: a `share` of all rows, 0 to 1, or a `count`; one of the two is None."""

    share: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.count is None):
            raise InvalidInput("max-rejects", (self.share, self.count), "either a share or a count")
        if self.share is not None and not 0 <= self.share <= 1:
            raise InvalidInput("max-rejects", self.share, "a share from 0.0 to 1.0")
        if self.count is not None and self.count < 0:
            raise InvalidInput("max-rejects", self.count, "a count of 0 or more")

    def exceeded(self, rejected: int, rows: int) -> bool:
        """Whether `rejected` of `rows` are too many."""
        return rejected > (self.count if self.count is not None else (self.share or 0.0) * rows)

    def __str__(self) -> str:
        return f"{self.count:,} rows" if self.count is not None else f"{100 * (self.share or 0.0):g} % of the rows"


def parse_reject_limit(text: str) -> RejectLimit:
    """A limit from "0.01" (a share), "1%" (the same) or "25" (a count of rows). Raises `InvalidInput`."""
    stripped = text.strip()
    try:
        if stripped.endswith("%"):
            return RejectLimit(share=float(stripped[:-1]) / 100)
        if stripped.isdecimal():
            return RejectLimit(count=int(stripped))
        return RejectLimit(share=float(stripped))
    except ValueError as error:
        raise InvalidInput("max-rejects", text, "a share such as 0.01 or 1%, or a count of rows such as 25") from error


@dataclass(frozen=True)
class Problem:
    """Why a row is rejected. `text` tells all, `reason` leaves out what was given, so that equal reasons can be counted."""

    text: str
    reason: str

    @classmethod
    def of(cls, error: InvalidInput) -> Problem:
        """The problem that `error` describes."""
        return cls(str(error), f"{error.field}: missing" if error.given is None else f"{error.field}: allowed: {error.allowed}")


class Rejects:
    """Writes the rejects file, one JSON object per line with file, line, reason and row, and counts.

    The file appears with the first rejected row; a file of the same name is replaced even if there is none, so that it never
    tells of another import.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._reasons: Counter[str] = Counter()
        self._stream: TextIO | None = None

    def __enter__(self) -> Rejects:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected rows by reason, most frequent first."""
        return dict(self._reasons.most_common())

    def add(self, file: ImportFile, line: int, problem: Problem, row: Mapping[str, object] | str) -> None:
        """Set one row aside."""
        self.count += 1
        reason = problem.reason if problem.reason in self._reasons or len(self._reasons) < REASONS_LIMIT else OTHER_REASONS
        self._reasons[reason] += 1
        entry = {"file": file.name, "line": line, "reason": problem.text, "row": kept_of(row)}
        text = json.dumps(entry, ensure_ascii=False, default=str)
        try:
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # Lone surrogates, which stand for bytes that are not UTF-8, become JSON escapes this way.
                self._stream = self.path.open("w", encoding="utf-8", errors="backslashreplace")
            self._stream.write(text + "\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> InvalidInput:
        return InvalidInput("rejects", str(self.path), f"a file that can be written ({error.strerror})")


def kept_of(row: Mapping[str, object] | str) -> object:
    """What the rejects file keeps of a row: long values cut, and the row as cut text if it is still too long."""
    if isinstance(row, str):
        return _cut(row, ROW_LIMIT)
    kept = {_cut(name, VALUE_LIMIT): _kept_value(value) for name, value in row.items()}
    text = json.dumps(kept, ensure_ascii=False, default=str)
    return kept if len(text) <= ROW_LIMIT else _cut(text, ROW_LIMIT)


def _kept_value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _cut(value, VALUE_LIMIT)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= VALUE_LIMIT and isinstance(value, list | dict) else _cut(text, VALUE_LIMIT)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
