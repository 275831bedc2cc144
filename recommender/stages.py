"""Where the time of a feed goes: the hot path says which stage it has come through, and a watch, where one is set, adds up.

Time is counted from stage to stage without gaps, so that the stages sum to the whole. Without a watch a mark costs next to nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class Watch:
    """Processor time of one thread by stage: `ns`, nanoseconds, in the order in which stages first ended."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._since = time.thread_time_ns()

    def reached(self, stage: str) -> None:
        """The time since the last mark belongs to `stage`."""
        now = time.thread_time_ns()
        self.ns[stage] = self.ns.get(stage, 0) + now - self._since
        # Read again, so that the watch's own work counts for no stage.
        self._since = time.thread_time_ns()


_watches: dict[int, Watch] = {}
"""By the number of a thread, where it is watched; empty but for measurements, which costs a mark the least."""


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch this thread while the block runs."""
    _watches[threading.get_ident()] = watch = Watch()
    try:
        yield watch
    finally:
        del _watches[threading.get_ident()]


def reached(stage: str, of: Enum | None = None) -> None:
    """Mark the end of `stage` in this thread, or of its part that is about the source `of`."""
    if _watches:
        watch = _watches.get(threading.get_ident())
        if watch is not None:
            watch.reached(stage if of is None else f"{stage}: {of.name.lower()}")
