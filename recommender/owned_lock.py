"""A lock that says who holds it: for work that one process at a time may do, while others do something else."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from recommender.errors import Locked, RecommenderError


@contextmanager
def owned_lock(path: Path, what: str, *, now: datetime) -> Iterator[None]:
    """Hold the lock on the file `path`, or raise `Locked` saying who does `what`, such as "another build is running".

    The kernel frees the lock when its holder dies, so that nobody has to clean up after it. Raises `RecommenderError` where the file cannot
    be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise _unusable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "an unnamed process"
            raise Locked(f"{what}: {owner}; try again when it has ended") from None
        try:
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now.isoformat(timespec='seconds')}")
            file.flush()
        except OSError as error:
            raise _unusable(path, error) from error
        yield


def _unusable(path: Path, error: OSError) -> RecommenderError:
    return RecommenderError(f"cannot lock {path}: {error.strerror or error}; its folder must be one that may be written to")
