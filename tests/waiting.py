"""Waiting for what another thread or process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable

LONG_S = 120.0
"""Long for any machine, however busy."""


def soon(holds: Callable[[], bool]) -> bool:
    """Whether `holds` becomes true before a long time is over."""
    end = time.monotonic() + LONG_S
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
