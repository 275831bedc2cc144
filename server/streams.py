"""Keeps streaming calls from taking the threads that feeds and health checks need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import BoundedSemaphore, Timer
from typing import TypeVar

import grpc

STREAM_AGE_S = 10.0
"""How long a streaming call may take; reflection needs a fraction of a second."""

ORDERLY_S = 0.8 * STREAM_AGE_S
"""Seconds after which a call that streams ends in good order, before it is cut off for its age."""

Request = TypeVar("Request")
Response = TypeVar("Response")


class StreamLimit:
    """At most `most` streaming calls at once, each ended after `age_s` seconds: an idle one occupies a thread all the while."""

    def __init__(self, most: int, *, age_s: float = STREAM_AGE_S) -> None:
        self._most = most
        self._age_s = age_s
        self._free = BoundedSemaphore(most)

    def around(
        self, behaviour: Callable[[Request, grpc.ServicerContext], Iterator[Response]]
    ) -> Callable[[Request, grpc.ServicerContext], Iterator[Response]]:
        """`behaviour`, of one request or of a stream of them, within the limit.

        A call beyond it is answered with RESOURCE_EXHAUSTED, one that grows too old CANCELLED.
        """

        def call(requests: Request, context: grpc.ServicerContext) -> Iterator[Response]:
            if not self._free.acquire(blocking=False):
                context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"too many streaming calls: {self._most} at once are allowed, for {self._age_s:g} s each; try again",
                )
            # Cancelling wakes the thread that waits for the stream's next request.
            end = Timer(self._age_s, context.cancel)
            end.daemon = True
            end.start()
            try:
                yield from behaviour(requests, context)
            finally:
                end.cancel()
                self._free.release()

        return call
