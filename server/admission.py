"""Admission: who may wait for a turn, and who is turned away at once because the turn would come too late.

What counts is time, not length: a queue is too long when whoever joins it would wait longer than anybody wants to (Nichols and Jacobson,
Controlling Queue Delay, ACM Queue 10(5), 2012). How long that would be is known on arrival: as many calls as are there, each as long as
calls have taken one after the other lately, whatever they had to share the processor with.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable

MEMORY_S = 1.0
"""Seconds of work, or of turning away, that the averages go by."""

BURST = 4.0
"""A burst may wait so many times as long as a queue that stands."""

BURST_S = 0.25
"""Seconds after which a queue that has not been half empty meanwhile is no burst any more."""

PATIENCE = 0.5
"""Share of the time that callers usually give which may be spent on waiting."""

PATIENCE_STEP = 0.02
"""Weight of one call in the average of what callers give."""

RETRY_LEAST_S, RETRY_MOST_S = 0.05, 10.0
"""Shortest and longest delay that is asked for, before it is varied."""

RETRY_SPREAD = 0.5
"""Delays are lengthened at random by up to this share, so that not all who were turned away come back at once."""


class Admission:
    """Counts the calls of one kind that wait or run, on at most `threads` at once, and says whether one more may join them.

    Nobody is turned away while fewer than `threads` are there. `wait_s`: longest wait in seconds that a call is let in to while the
    queue stands, four times as much in a burst; less where callers give less than twice as much time. `clock`: in seconds; `chance`:
    random numbers in [0, 1). Safe for all threads.
    """

    def __init__(
        self, threads: int, wait_s: float, *, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._inside = 0
        self._wait_s = wait_s
        self._given_most = BURST * wait_s / PATIENCE
        self._given = self._given_most
        self._busy = self._left = 0.0
        self._since = clock()
        self._standing_since: float | None = None
        self._turned_away = 0.0
        self._turned_at = clock()

    @property
    def inside(self) -> int:
        """Calls that wait or run."""
        return self._inside

    @property
    def pace(self) -> float:
        """Seconds from the end of one call to the end of the next while there was work, lately; 0 before the first."""
        return self._busy / self._left if self._left else 0.0

    @property
    def wait(self) -> float:
        """Seconds that a call which comes now would wait."""
        return self._inside * self.pace

    @property
    def longest_wait(self) -> float:
        """The wait in seconds above which calls are turned away now."""
        burst = self._given * PATIENCE
        stands = self._standing_since is not None and self._clock() - self._standing_since >= BURST_S
        return min(self._wait_s, burst) if stands else burst

    def refusal(self) -> float | None:
        """None where a call may come in now; else the seconds after which it may try again."""
        with self._lock:
            wait = self.wait
            if wait < self._wait_s / 2:
                self._standing_since = None
            elif self._standing_since is None:
                self._standing_since = self._clock()
            if self._inside < self._threads or wait <= self.longest_wait:
                return None
            return self._retry_after()

    def too_late(self) -> float:
        """Count a call that was let in and whose time is up before anything was done; the seconds after which it may try again."""
        with self._lock:
            return self._retry_after()

    def enter(self) -> float:
        """Count a call in; the moment by the clock."""
        with self._lock:
            now = self._clock()
            if not self._inside:
                self._since = now
            self._inside += 1
            return now

    def leave(self) -> None:
        """Count a call out."""
        with self._lock:
            now = self._clock()
            took = max(now - self._since, 0.0)
            kept = math.exp(-took / MEMORY_S)
            self._busy = self._busy * kept + took
            self._left = self._left * kept + 1
            self._since = now
            self._inside -= 1

    def gives(self, seconds: float | None) -> None:
        """Note how long a caller waits for an answer, all in all; None for one that would wait for ever."""
        given = self._given_most if seconds is None else min(seconds, self._given_most)
        with self._lock:
            self._given += PATIENCE_STEP * (given - self._given)

    def _retry_after(self) -> float:
        """The time that it takes to work off what is here and what was turned away lately: the greater the overload, the longer."""
        now = self._clock()
        self._turned_away = self._turned_away * math.exp(-max(now - self._turned_at, 0.0) / MEMORY_S) + 1
        self._turned_at = now
        delay = (self._inside + self._turned_away) * self.pace
        return min(max(delay, RETRY_LEAST_S), RETRY_MOST_S) * (1 + RETRY_SPREAD * self._chance())
