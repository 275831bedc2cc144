"""Segments: groups of users that somebody keeps a list of, for figures by group."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from recommender.errors import InvalidInput
from recommender.events import Subject, SubjectKind

COLUMNS = ["user_id", "segment"]


def read_segments(path: Path, people: Mapping[int, Subject]) -> dict[int, str]:
    """Segment by person number, from a CSV file with the header `user_id,segment`; users that `people` does not know are passed over.

    Raises `InvalidInput` by file and line for a file that is missing or malformed or names a user twice, and where it knows nobody.
    """
    numbers = {subject.id: number for number, subject in people.items() if subject.kind is SubjectKind.USER}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(str(path), str(error), "a CSV file in UTF-8 that can be read") from error
    if not rows or rows[0] != COLUMNS:
        raise InvalidInput(f"{path}:1", rows[0] if rows else "nothing", f"the header {','.join(COLUMNS)}")
    found: dict[str, str] = {}
    for line, row in enumerate(rows[1:], 2):
        if len(row) != 2 or not row[0] or not row[1].strip():
            raise InvalidInput(f"{path}:{line}", ",".join(row), "a user id and a segment")
        if row[0] in found:
            raise InvalidInput(f"{path}:{line}", row[0], "each user once")
        found[row[0]] = row[1].strip()
    known = {numbers[user]: segment for user, segment in found.items() if user in numbers}
    if not known:
        raise InvalidInput(str(path), f"{len(found)} users, none of them known", "users that the data has")
    return known
