"""Work that may take its time: a thread that gives way to those that answer calls."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

NICENESS, FURTHER = 5, 10
"""How far a thread stands back: on a busy processor it gets about a third of the time of one that answers, or a tenth."""

PAUSE_S = 0.005
"""The shortest pause between two pieces of work."""


def stand_back(niceness: int = NICENESS) -> None:
    """Let all other threads of this machine go first, from now on, by a `niceness` up to 19; there is no way back. On Linux alone, as
    threads have no priority of their own elsewhere."""
    # Where it is not allowed, the work is done at the usual priority.
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


class Pauses:
    """Called between two pieces of work, it lets go of the interpreter for as long as the last piece took, so that whoever answers calls
    gets at least half of the time."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def __call__(self) -> None:
        time.sleep(max(PAUSE_S, time.perf_counter() - self._since))
        self._since = time.perf_counter()
