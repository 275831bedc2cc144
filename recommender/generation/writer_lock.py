"""The writer's lock: one build, or one pruning, at a time below one folder of generations, and one watcher below that of deltas."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from recommender.errors import Locked, RecommenderError

LOCK = ".writer.lock"
TRIES, PAUSE_S = 10, 0.05
"""Whoever looks whether the lock is free holds it for a moment, which must not be taken for another writer."""


@contextmanager
def writer_lock(root: Path, *, now: datetime, what: str = "build") -> Iterator[None]:
    """Hold the lock of what is below `root` for a `what`, or raise `Locked` saying who holds it.

    The kernel frees the lock when its holder dies, so that a killed build never has to be cleaned up after. Raises
    `RecommenderError` when the folder cannot be made or written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise _unusable(root, error) from error
    with file:
        _take(file, root, now, what)
        yield


def is_held(root: Path) -> bool:
    """Whether anybody holds the lock of the generations below `root`."""
    try:
        with (root / LOCK).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def this_process() -> str:
    """This process as messages name it."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _take(file: TextIO, root: Path, now: datetime, what: str) -> None:
    for left in reversed(range(TRIES)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if left:
                time.sleep(PAUSE_S)
    else:
        file.seek(0)
        running, _, owner = file.read().strip().partition(" by ")
        raise Locked(f"another {running or 'writer'} is running: {owner or 'an unnamed process'}; try again when it has ended")
    try:
        file.seek(0)
        file.truncate()
        file.write(f"{what} by {this_process()}, since {now.isoformat(timespec='seconds')}")
        file.flush()
    except OSError as error:
        raise _unusable(root, error) from error


def _unusable(root: Path, error: OSError) -> RecommenderError:
    return RecommenderError(f"cannot lock {root}: {error.strerror or error}; it must be a folder that may be written to")
