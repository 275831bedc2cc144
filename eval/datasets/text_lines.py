"""Text files read whole, so that what is wrong in one can be named by file and line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput

_ALLOWED_IN_NUMBERS = b"0123456789 \t\r\n"
_NUMBER = "whole numbers of at most 18 digits, separated by spaces"
_DIGITS_LIMIT = 18
"""So many digits always fit into int64."""


@dataclass(frozen=True, eq=False)
class NumberedLines:
    """l lines of whole numbers, each the number of its subject and then r numbers in all that belong to it.

    `first`: int64, shape (l,). `offsets`: int64, shape (l + 1,): line i has `rest[offsets[i]:offsets[i + 1]]`. `rest`: int64, shape (r,).
    """

    first: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    rest: npt.NDArray[np.int64]

    @property
    def owner(self) -> npt.NDArray[np.int64]:
        """The first number of the line that each of `rest` stands in, shape (r,)."""
        return np.repeat(self.first, np.diff(self.offsets))

    @property
    def step(self) -> npt.NDArray[np.int64]:
        """The place of each of `rest` within its line, from 0, shape (r,)."""
        return np.arange(len(self.rest)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises `InvalidInput` naming it where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(str(path), error.strerror or str(error), "a file that can be read") from error


def text_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text without their ends; line i of the list is line i + 1 there. Raises `InvalidInput` by file and line."""
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}:{line}", content[error.start : error.start + 20], "text in UTF-8") from error
    # Not splitlines(), which also cuts at characters that stand inside titles, such as U+2028.
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def numbered_lines(path: Path) -> NumberedLines:
    """Lines of whole numbers of which the first names the line's subject; blank lines do not count.

    Raises `InvalidInput` by file and line for anything that is no such number, for a subject with two lines, and for a file of nothing.
    """
    content = content_of(path)
    lines = content.split(b"\n")
    if content.translate(None, _ALLOWED_IN_NUMBERS):
        place, line = next((place, line) for place, line in enumerate(lines, 1) if line.translate(None, _ALLOWED_IN_NUMBERS))
        raise InvalidInput(f"{path}:{place}", line, _NUMBER)
    words = [line.split() for line in lines]
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    if max(map(len, chain.from_iterable(words)), default=0) > _DIGITS_LIMIT:
        place, long = next((place, word) for place, line in enumerate(words, 1) for word in line if len(word) > _DIGITS_LIMIT)
        raise InvalidInput(f"{path}:{place}", long, _NUMBER)
    numbers = np.fromiter(map(int, chain.from_iterable(words)), dtype=np.int64, count=int(lengths.sum()))
    filled = np.flatnonzero(lengths)
    if not len(filled):
        raise InvalidInput(str(path), "no line", f"lines of {_NUMBER}")
    starts = (np.cumsum(lengths) - lengths)[filled]
    first = numbers[starts]
    _, places = np.unique(first, return_index=True)
    if len(places) < len(first):
        twice = np.setdiff1d(np.arange(len(first)), places)[0]
        raise InvalidInput(f"{path}:{filled[twice] + 1}", int(first[twice]), "one line for each first number")
    is_rest = np.ones(len(numbers), dtype=np.bool_)
    is_rest[starts] = False
    return NumberedLines(first, np.append(0, np.cumsum(lengths[filled] - 1)), numbers[is_rest])
