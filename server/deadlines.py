"""How long the callers of this server wait, and what can still be done in that time.

A feed that would come too late is worth nothing, and its work is lost for those behind it. So it is known how long a feed usually takes
from its turn on, and who has less time left gets the short answer at once: no source is asked, and the answer says so.
"""

from __future__ import annotations

import threading
import time

import grpc

REPLY_MARGIN_S = 0.005
"""Kept of a call's deadline for writing the answer and sending it."""

NO_DEADLINE_S = 86_400.0
"""gRPC gives calls without a deadline one that lies years ahead."""

LONG_AGO = float("-inf")
"""A deadline, as a `time.monotonic()` value, for which it is too late to ask any source."""

STEP = 0.05
"""Weight of one full answer in the averages."""

DEVIATIONS = 2.0
"""What counts as usual lies so many mean deviations above the mean: a little more than nine in ten answers come within it."""

FORGETTING = 0.99
"""What a short answer leaves of what is believed of full ones, so that they are tried again when things have changed."""


def remaining_of(context: grpc.ServicerContext) -> float | None:
    """Seconds until the call's deadline; None for a call without one."""
    remaining = context.time_remaining()
    return None if remaining is None or remaining > NO_DEADLINE_S else remaining


class Usual:
    """How long full answers of one method usually take, in seconds, as they really do: with all that shares the processor."""

    def __init__(self) -> None:
        self._mean = self._deviation = 0.0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """What most full answers come within; 0 before the first."""
        return self._mean + DEVIATIONS * self._deviation

    def took(self, seconds: float, *, whole: bool = True) -> None:
        """Note a full answer, or one that not all sources could be asked for: a full one would have taken at least as long."""
        with self._lock:
            if not whole and seconds < self._mean:
                return
            if not self._mean:
                self._mean = seconds
                return
            # An answer that took many times as long met with something else, which is not usual.
            seconds = min(seconds, 4 * self._mean)
            self._deviation += STEP * (abs(seconds - self._mean) - self._deviation)
            self._mean += STEP * (seconds - self._mean)

    def was_short(self) -> None:
        """Note that there was not time enough for a full answer."""
        with self._lock:
            self._mean *= FORGETTING
            self._deviation *= FORGETTING


def engine_deadline(remaining: float | None, usual: Usual, *, short: bool) -> float | None:
    """When the engine must be done, as a `time.monotonic()` value; None for any time.

    `LONG_AGO` where less than the usual time remains and there is a `short` answer, one without any source.
    """
    if remaining is None:
        return None
    left = remaining - REPLY_MARGIN_S
    return LONG_AGO if short and left < usual.seconds else time.monotonic() + left
