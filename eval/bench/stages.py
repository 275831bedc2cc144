"""What each stage of a build takes: seconds by the clock and of processor time, and memory at its peak."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from eval.bench.memory import Together, forget_peak, peak_mb
from indexing.progress import Reporter, Stage


@dataclass(frozen=True)
class Took:
    """`wall_s` and `cpu_s` seconds, the latter on all cores together; `peak_mb`: memory at its peak meanwhile, of this
    process and of those that it started."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass
class Measured:
    """A reporter that hands on what it is told, and keeps what each stage took and how long each part of one lasted, in seconds."""

    shown: Reporter
    stages: dict[str, Took] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """See `Reporter`."""
        forget_peak()
        wall, cpu = time.monotonic(), spent_s()
        with Together() as together, self.shown.stage(name) as advance:
            yield advance
        self.stages[name] = Took(time.monotonic() - wall, spent_s() - cpu, max(peak_mb(), together.most_mb))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """See `Reporter`."""
        started = time.monotonic()
        with self.shown.part(name):
            yield
        with self._lock:
            self.parts[name] = self.parts.get(name, 0.0) + time.monotonic() - started

    def tell(self, message: str) -> None:
        """See `Reporter`."""
        self.shown.tell(message)


def spent_s() -> float:
    """Seconds of processor time of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
