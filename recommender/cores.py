"""Work that is shared by the processor's cores, each part by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")


def cores() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shared(work: Callable[[Part], Made], parts: Iterable[Part]) -> list[Made]:
    """What `work`, which must not hold the interpreter's lock for long, makes of each of the `parts`, in their order."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(work, parts))
