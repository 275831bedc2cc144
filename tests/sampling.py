"""Long loops, of which `make test` goes through a part and `make soak` through all.

A test that uses one of these is marked `sampled`, by which `make soak` finds it; EXHAUSTIVE=1 in the environment asks for all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")

EXHAUSTIVE = os.environ.get("EXHAUSTIVE", "") not in ("", "0")


def stride(usual: int) -> int:
    """How many steps on to go at once: `usual`, and 1 where all are asked for."""
    return 1 if EXHAUSTIVE else usual


def times(usual: int, exhaustive: int) -> int:
    """How often to do what chance has a hand in."""
    return exhaustive if EXHAUSTIVE else usual


def sampled(things: Sequence[Thing], most: int) -> list[Thing]:
    """The first, the last and others evenly between them, `most` in all, which is at least 2; or all that there are."""
    last = len(things) - 1
    if EXHAUSTIVE or last < most:
        return list(things)
    return [things[round(place * last / (most - 1))] for place in range(most)]
