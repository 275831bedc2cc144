"""The time that a tuning may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from recommender.errors import InvalidInput


class OutOfTime(Exception):
    """The time is up. Control flow between steps; it never leaves the tuning."""


@dataclass(frozen=True)
class Budget:
    """Time until `end` by `clock`, both in seconds. Nothing running is interrupted: steps ask before they start."""

    clock: Callable[[], float]
    end: float

    @classmethod
    def of(cls, minutes: float, clock: Callable[[], float]) -> Budget:
        """The next `minutes`. Raises `InvalidInput` unless they are a finite number above 0."""
        if not 0 < minutes < math.inf:
            raise InvalidInput("minutes", minutes, "a finite number above 0")
        return cls(clock, clock() + 60 * minutes)

    @property
    def left(self) -> float:
        """Seconds left, below 0 once they are used up."""
        return self.end - self.clock()

    def keeping(self, seconds: float) -> Budget:
        """The same budget with its last `seconds` kept for what comes after."""
        return replace(self, end=self.end - seconds)

    def share(self, among: int) -> Budget:
        """The next of `among` equal parts of what is left."""
        now = self.clock()
        return replace(self, end=now + (self.end - now) / among)

    def check(self) -> None:
        """Raise `OutOfTime` where nothing is left."""
        if self.left <= 0:
            raise OutOfTime
