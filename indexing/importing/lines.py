"""Lines of a text file in bounded memory, each with its number and with what is wrong with it."""

from __future__ import annotations

from typing import NamedTuple, TextIO

from indexing.importing.rows import RECORD_LIMIT

KEPT_OF_A_LONG_LINE = 2_000


class Line(NamedTuple):
    """One physical line with its line end. `problem` is empty for a sound line; `too_long` ones are cut."""

    number: int
    text: str
    problem: str = ""
    too_long: bool = False


class BoundedLines:
    """Reads lines from a stream that was opened as UTF-8 with `surrogateescape` and `newline=""`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._number = 0

    def read(self) -> Line | None:
        """The next line, None at the end."""
        text = self._stream.readline(RECORD_LIMIT + 1)
        if not text:
            return None
        self._number += 1
        if len(text) > RECORD_LIMIT:
            rest = text
            while rest and not rest.endswith(("\n", "\r")):
                rest = self._stream.readline(RECORD_LIMIT)
            return Line(self._number, text[:KEPT_OF_A_LONG_LINE], f"the line has more than {RECORD_LIMIT:,} characters", too_long=True)
        return Line(self._number, text, text_problem(text))


def text_problem(text: str) -> str:
    """What keeps `text` from being stored and sent, "" if nothing."""
    if "\x00" in text:
        return "contains NUL characters"
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "contains bytes that are not UTF-8, or half of a surrogate pair"
    return ""
