"""Progress of long work: bars on a terminal, one JSON line per stage otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Stage(Protocol):
    """One stage of work. Call it with how much is done and, once known, of how much."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


class Reporter(Protocol):
    """Shows stages as they pass."""

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Show the stage `name` while the block runs."""
        ...


class Bars:
    """Bars on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """See `Reporter`."""
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=None)
            yield lambda done, total=None: bars.update(task, completed=done, total=total)
            known = bars.tasks[0].total
            bars.update(task, total=known or 1, completed=known or 1)


class Lines:
    """One line of JSON when a stage starts and one when it ends, so that logs and other programs can follow."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """See `Reporter`."""
        started = time.monotonic()
        seen = {"done": 0}
        self._write({"stage": name, "state": "started"})

        def advance(done: int, total: int | None = None) -> None:
            seen["done"] = done

        yield advance
        self._write({"stage": name, "state": "finished", "done": seen["done"], "seconds": round(time.monotonic() - started, 3)})

    def _write(self, record: dict[str, object]) -> None:
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()


def reporter(stream: TextIO) -> Reporter:
    """Bars when `stream` is a terminal, else lines."""
    return Bars(Console(file=stream)) if stream.isatty() else Lines(stream)
