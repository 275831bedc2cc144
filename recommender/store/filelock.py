"""The kernel lock by which the writers of several processes queue up before SQLite."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recommender.errors import StoreBusy, StoreUnwritable

LOCK_TIMEOUT_S = 30.0
_POLL_S = 0.01


class FileLock:
    """An exclusive lock on `<store>.lock`; the kernel frees it when its holder dies, however that comes about."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnwritable(f"{self.path} cannot be opened: {error.strerror}") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, waiting for it as long as need be. Raises `StoreUnwritable` where the file system has no locks."""
        self._flock(fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def held_within(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock. Raises `StoreBusy` where it was not free in `timeout_s` seconds."""
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                self._flock(fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise StoreBusy(f"{self.path} is held by another process for more than {timeout_s:.0f} s; try again") from None
                time.sleep(_POLL_S)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, which also frees the lock."""
        os.close(self._descriptor)

    def _flock(self, operation: int) -> None:
        try:
            fcntl.flock(self._descriptor, operation)
        except BlockingIOError:
            raise
        except OSError as error:
            raise StoreUnwritable(f"{self.path} cannot be locked: {error.strerror}") from error
