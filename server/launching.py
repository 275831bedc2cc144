"""Starts the real commands as processes of their own, for what shows or measures them: the demo and the benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recommender.errors import CorruptGeneration, RecommenderError
from recommender.generation import Generations
from recommender.settings import ENVIRONMENT_PREFIX, load_settings

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0


def command(*arguments: str) -> list[str]:
    """The `recommender` command of this very installation."""
    return [sys.executable, "-m", "recommender", *arguments]


def command_path() -> str:
    """How to type the `recommender` command of this installation from the working directory."""
    beside = Path(sys.executable).with_name("recommender")
    here = Path.cwd()
    return str(beside.relative_to(here) if beside.is_relative_to(here) else beside)


def _environment() -> dict[str, str]:
    """Ours without the settings of another deployment."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}


def run(*arguments: str) -> None:
    """Run a sub-command to its end, its output going where ours goes. Raises `RecommenderError` when it fails."""
    finished = subprocess.run(command(*arguments), env=_environment(), check=False)
    if finished.returncode:
        raise RecommenderError(f"`recommender {' '.join(arguments)}` ended with status {finished.returncode}; its message stands above")


def published(data: Path) -> str | None:
    """Id of the active generation below `data`, when there is one whose files are sound."""
    generations = Generations(load_settings(data=data).generations_path)
    current = generations.current_id()
    if current is None or current not in generations.ids():
        return None
    try:
        generations.verify(current)
    except CorruptGeneration:
        return None
    return current


@contextmanager
def on_processor(number: int | None) -> Iterator[None]:
    """Processes that are started inside the block stay on one processor; on any where `number` is None."""
    before = os.sched_getaffinity(0)
    if number is not None:
        os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Serving:
    """A server that listens: its bound `addresses` by setting, its process, and how long it took to come up."""

    addresses: dict[str, str]
    pid: int
    seconds: float


@contextmanager
def serving(
    data: Path, *further: str, listen: str, admin_listen: str, metrics_listen: str, log: Path, processor: int | None = None
) -> Iterator[Serving]:
    """A real server on `data`, with `further` arguments; it is stopped when the block ends.

    Its log lines go to the file `log`. Raises `RecommenderError` with the end of the log when it does not start.
    """
    with tempfile.TemporaryDirectory() as folder, log.open("ab") as output:
        ready = Path(folder) / "ready.json"
        started = time.monotonic()
        arguments = command(
            "serve",
            *("--data", str(data)),
            *("--listen", listen),
            *("--admin-listen", admin_listen),
            *("--metrics-listen", metrics_listen),
            *("--ready-file", str(ready)),
            *further,
        )
        with on_processor(processor):
            # Ctrl-C is ours to pass on, so that the server outlives the last question. Not by a `preexec_fn`: that runs in a fork of this
            # process, with gRPC's threads started anew in it, which end two in a hundred such forks before they become a server.
            process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT, env=_environment(), process_group=0)
        try:
            give_up = time.monotonic() + START_TIMEOUT_S
            while not ready.exists():
                if process.poll() is not None:
                    raise _not_started(f"it ended with status {process.returncode}", log)
                if time.monotonic() > give_up:
                    raise _not_started(f"it was given {START_TIMEOUT_S:g} seconds", log)
                time.sleep(0.02)
            yield Serving(json.loads(ready.read_text(encoding="utf-8")), process.pid, time.monotonic() - started)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _not_started(why: str, log: Path) -> RecommenderError:
    tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    return RecommenderError(f"the server did not start: {why}; the end of its log:\n" + "\n".join(tail))
