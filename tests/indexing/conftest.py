"""Small event tables and catalogues by hand, a data folder that needs no model, and the command as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import FILMS, JUDGED, NOW, QUICKLY, fill_store, films, taste_of, watches

from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.settings import Settings
from recommender.times import DAY_US

PROGRAM = Path(__file__).parent / "warm_program.py"

Row = tuple[int, int, EventType, float, float]
"""Person, item number, type, time in days, value."""


@dataclass(frozen=True)
class Tables:
    """Makes the arrays that learners read."""

    def events(self, rows: Sequence[Row], *, consent: Consent = Consent.ALL) -> EventTable:
        """The table of these rows, which arrive in the order given."""
        person, item, kind, day, value = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return EventTable.sorted(
            np.array(person, dtype=np.uint32),
            np.array(item, dtype=np.uint32),
            np.array(kind, dtype=np.uint8),
            np.array(value, dtype=np.float32),
            (np.array(day, dtype=np.float64) * DAY_US).astype(np.int64),
            np.full(len(rows), consent, dtype=np.uint8),
            np.arange(len(rows), dtype=np.int64),
        )

    def catalogue(self, n: int) -> Catalogue:
        """Items numbered 1 to n, so that row i is item number i + 1."""
        return Catalogue.of([(number, ItemState.LIVE, Item(f"item-{number}", ItemKind.MEDIA)) for number in range(1, n + 1)])


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables()


def with_own_vectors(items: Sequence[Item], *, dimension: int = 16) -> list[Item]:
    """The same films, each with a vector that lies close to those of its taste."""
    rng = np.random.default_rng(1)
    made = []
    for item in items:
        vector = rng.normal(scale=0.3, size=dimension)
        vector[0 if taste_of(item.id) == "space" else 1] += 2
        fields = {name: getattr(item, name) for name in ("id", "kind", "title", "categories", "published_at", "price")}
        made.append(Item(**fields, embedding=vector.astype(np.float32)))
    return made


@pytest.fixture(scope="session")
def modelless(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Makes data folders whose items bring vectors of their own, so that builds need no model. Each is filled once, then copied."""
    filled: dict[int, Path] = {}

    def made(*, dimension: int = 16) -> Settings:
        if dimension not in filled:
            data = tmp_path_factory.mktemp("modelless") / "data"
            fill_store(data, with_own_vectors(films(FILMS), dimension=dimension), watches())
            filled[dimension] = data
        copy = tmp_path_factory.mktemp("copy") / "data"
        shutil.copytree(filled[dimension], copy)
        return Settings(data=copy)

    return made


@dataclass
class Run:
    """A running command. `lines` are the JSON lines that it wrote on standard error so far, `rest` what was not JSON."""

    pid: int
    _program: subprocess.Popen[str]
    _stream: Any
    lines: list[dict[str, Any]] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def follow(self, stage: str, state: str = "started") -> None:
        """Read on until `stage` is in `state`."""
        for text in self._stream:
            self._keep(text)
            if self.lines and self.lines[-1].get("stage") == stage and self.lines[-1].get("state") == state:
                return
        raise AssertionError(f"ended before {stage} was {state}: {self.lines} {self.rest}")

    def signal(self, number: signal.Signals) -> None:
        """Send the signal, which comes too late for a command that has just ended; its exit code tells."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Read to the end and return the exit code, negative for the signal that ended it."""
        for text in self._stream:
            self._keep(text)
        self._stream.close()
        assert self._program.stdout is not None
        return int(self._program.stdout.readline())

    def _keep(self, text: str) -> None:
        try:
            self.lines.append(json.loads(text))
        except json.JSONDecodeError:
            self.rest.append(text)


@dataclass
class Warm:
    """Runs `recommender …` in processes that have all imports behind them. One command at a time each."""

    folder: Path
    programs: list[subprocess.Popen[str]] = field(default_factory=list)
    runs: int = 0

    def start(self, *arguments: str | Path, place: int = 0, file_limit: int | None = None) -> Run:
        """Start a command; `place` says which of the warm programs forks it. `file_limit`: bytes that a file may grow to."""
        while len(self.programs) <= place:
            self.programs.append(subprocess.Popen([sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        program = self.programs[place]
        self.runs += 1
        pipe = self.folder / f"stderr-{self.runs}"
        os.mkfifo(pipe)
        assert program.stdin is not None
        assert program.stdout is not None
        wanted = {"arguments": [str(argument) for argument in arguments], "stderr": str(pipe), "file_limit": file_limit}
        program.stdin.write(json.dumps(wanted) + "\n")
        program.stdin.flush()
        stream = pipe.open(encoding="utf-8")
        # A test that failed before it waited leaves the exit code of its command unread.
        while not (said := program.stdout.readline()).startswith("pid "):
            assert said, "the warm program ended"
        return Run(int(said.removeprefix("pid ")), program, stream)

    def run(self, *arguments: str | Path, file_limit: int | None = None) -> tuple[int, Run]:
        """Run a command to its end."""
        run = self.start(*arguments, file_limit=file_limit)
        return run.wait(), run


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    made = Warm(tmp_path_factory.mktemp("warm"))
    yield made
    for program in made.programs:
        program.communicate(timeout=60)


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """Build settings of a build that is about something else than judging and blending."""
    path = tmp_path / "quick.toml"
    path.write_text(QUICKLY)
    return path


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Build settings that judge a build of this size."""
    path = tmp_path / "judged.toml"
    path.write_text(JUDGED)
    return path


@pytest.fixture
def later() -> datetime:
    """A while after the worlds were built."""
    return NOW.astimezone(UTC) + timedelta(days=1)
