"""What a measurement was made on: the processor, the interpreter, and how fast that runs Python code here and now."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path

CALLS, ROUNDS = 50_000, 7
"""Calls of the loop by which an interpreter is timed, and how often it is gone through."""


def interpreter() -> str:
    """Name and version of the interpreter, and the best time of a loop of `CALLS` calls that make small objects.

    That goes by the processor and what else it has to do at the moment, and by how the interpreter was built: with a profile
    (`--enable-optimizations`), as those of distributions are, it takes two thirds of what one takes that pyenv built as it does of itself.
    No build tells for sure how it was made, so that it is timed.
    """
    best = min(_timed() for _ in range(ROUNDS))
    return f"{platform.python_implementation()} {platform.python_version()} ({CALLS:,} calls in {1e3 * best:.0f} ms)"


def processor() -> str:
    """The processor's name, or what kind it is where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


@dataclass(frozen=True, slots=True)
class _Made:
    number: int
    name: str


def _made(number: int, *, more: int) -> _Made:
    return _Made(number + more, "name")


def _timed() -> float:
    """Seconds that the loop takes."""
    sums: dict[str, int] = {}
    started = time.perf_counter()
    for number in range(CALLS):
        made = _made(number, more=2)
        sums[made.name] = sums.get(made.name, 0) + made.number
        pair = (made.number, made.name)
        isinstance([*pair, 3], list)
    return time.perf_counter() - started
