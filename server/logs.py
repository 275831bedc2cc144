"""Structured logs: one JSON object a line on standard error. No line holds an id of a person or item, or a filter."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

LOGGER_NAME = "recommender.server"
"""Every module here logs under this name or below it."""

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(JsonFormatter):
    """Writes a record as one JSON object; of an exception its type and where it happened, and never its text.

    The text of an unexpected error quotes what the code stumbled over, which may be somebody's id.
    """

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )

    def formatException(self, ei: ExceptionInfo) -> str:
        """Each exception of the chain, the first cause first: its frames, outermost first, and its type."""
        lines: list[str] = []
        error = ei[1]
        while error is not None:
            frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
            kind = type(error)
            where = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
            lines = [*where, f"{kind.__module__}.{kind.__qualname__}", *lines]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)


def start_logging(level: str) -> None:
    """Write records of `level` ("debug", "info", "warning" or "error") and above as JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries speak up only when something is wrong: their debug records may quote requests.
    root.setLevel(logging.WARNING)
    logging.getLogger(LOGGER_NAME).setLevel(level.upper())
