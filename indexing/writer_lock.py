"""The writer's lock: one build at a time below one folder of generations."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from recommender.errors import Locked, RecommenderError

LOCK = ".writer.lock"


@contextmanager
def writer_lock(root: Path, *, now: datetime) -> Iterator[None]:
    """Hold the lock of the generations below `root`, or raise `Locked` saying who holds it.

    The kernel frees the lock when its holder dies, so that a killed build never has to be cleaned up after. Raises
    `RecommenderError` when the folder cannot be made or written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise _unusable(root, error) from error
    with file:
        _take(file, root, now)
        yield


def _take(file: TextIO, root: Path, now: datetime) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "an unnamed process"
        raise Locked(f"another build is running: {owner}; try again when it has ended") from None
    try:
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now.isoformat(timespec='seconds')}")
        file.flush()
    except OSError as error:
        raise _unusable(root, error) from error


def _unusable(root: Path, error: OSError) -> RecommenderError:
    return RecommenderError(
        f"cannot lock the generations below {root}: {error.strerror or error}; it must be a folder that may be written to"
    )
