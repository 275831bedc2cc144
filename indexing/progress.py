"""Progress of long work: bars on a terminal, one JSON line per stage otherwise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Part = Callable[[str], AbstractContextManager[object]]
"""Called with the name of a part of a stage, such as one learner's; the part lasts as long as the block. Parts may overlap."""


def untold(name: str) -> AbstractContextManager[object]:
    """A `Part` that nobody is told of."""
    return nullcontext()


def within(part: Part, name: str) -> Part:
    """The parts of the part `name`."""
    return lambda inner: part(f"{name}: {inner}")


class Stage(Protocol):
    """One stage of work. Call it with how much is done and, once known, of how much."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


class Reporter(Protocol):
    """Shows stages as they pass."""

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Show the stage `name` while the block runs."""
        ...

    def part(self, name: str) -> AbstractContextManager[object]:
        """Tell of the part `name` of a stage, which lasts as long as the block; parts may overlap, and come from any thread."""
        ...

    def tell(self, message: str) -> None:
        """Tell something that is worth a line."""
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

    def part(self, name: str) -> AbstractContextManager[object]:
        """See `Reporter`: a bar says enough."""
        return nullcontext()

    def tell(self, message: str) -> None:
        """See `Reporter`."""
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)


class Lines:
    """One line of JSON when a stage starts and one when it ends, so that logs and other programs can follow."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """See `Reporter`."""
        started = time.monotonic()
        self._stage = name
        seen = {"done": 0}
        self._write({"stage": name, "state": "started"})

        def advance(done: int, total: int | None = None) -> None:
            seen["done"] = done

        yield advance
        self._write({"stage": name, "state": "finished", "done": seen["done"], "seconds": round(time.monotonic() - started, 3)})

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """See `Reporter`: one line when a part ends."""
        started = time.monotonic()
        yield
        self._write({"stage": self._stage, "state": "part", "part": name, "seconds": round(time.monotonic() - started, 3)})

    def tell(self, message: str) -> None:
        """See `Reporter`: one line."""
        self._write({"stage": self._stage, "state": "told", "message": message})

    def _write(self, record: dict[str, object]) -> None:
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()


def reporter(stream: TextIO) -> Reporter:
    """Bars when `stream` is a terminal, else lines."""
    return Bars(Console(file=stream)) if stream.isatty() else Lines(stream)
