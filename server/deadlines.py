"""How long the callers of this server wait, and what can still be done in that time.

A feed that would come too late is worth nothing, and its work is lost for those behind it. So it is known how long a feed usually takes
from its turn on, and who has less time left gets the short answer at once: no source is asked, and the answer says so.
"""

from __future__ import annotations

import threading

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

FORGETTING = 0.995
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

    def took(self, seconds: float, *, whole: bool = True, left: float | None = None) -> None:
        """Note an answer from sources. Where not all could be asked, not `whole`, a full one would have taken at least as long.

        `left`: what there was time for when it was begun. One that took longer came too late, and once is enough to learn from that.
        """
        with self._lock:
            if left is not None and seconds > left:
                self._mean = max(self._mean, seconds)
            elif not self._mean:
                self._mean = seconds
            elif whole or seconds > self._mean:
                # An answer that took many times as long met with something else, which is not usual.
                seconds = min(seconds, 4 * self._mean)
                self._deviation += STEP * (abs(seconds - self._mean) - self._deviation)
                self._mean += STEP * (seconds - self._mean)

    def was_short(self) -> None:
        """Note that there was not time enough for a full answer."""
        with self._lock:
            self._mean *= FORGETTING
            self._deviation *= FORGETTING


def seconds_left(context: grpc.ServicerContext) -> float | None:
    """Seconds that may be spent on the answer of a call; None for any time."""
    remaining = remaining_of(context)
    return None if remaining is None else remaining - REPLY_MARGIN_S
