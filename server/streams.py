"""Keeps streaming calls from taking the threads that feeds and health checks need, and from holding up the end of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import BoundedSemaphore, Condition, Thread, Timer
from typing import Generic, TypeVar

import grpc

STREAM_AGE_S = 10.0
"""How long a streaming call may take; reflection needs a fraction of a second."""

ORDERLY_S = 0.8 * STREAM_AGE_S
"""Seconds after which a call that streams ends in good order, before it is cut off for its age."""

STOPPING = "the server is stopping; what was answered before is done: open a stream to another one, or later"

Request = TypeVar("Request")
Response = TypeVar("Response")


class StreamLimit:
    """At most `most` streaming calls at once, each ended after `age_s` seconds: an idle one occupies a thread all the while."""

    def __init__(self, most: int, *, age_s: float = STREAM_AGE_S) -> None:
        self._most = most
        self._age_s = age_s
        self._free = BoundedSemaphore(most)
        self._changed = Condition()
        self._stopping = False

    def stop(self) -> None:
        """End streams of requests as soon as they have answered what they are at: UNAVAILABLE, so that the rest is sent elsewhere."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def around_requests(
        self, behaviour: Callable[[Iterator[Request], grpc.ServicerContext], Iterator[Response]]
    ) -> Callable[[Iterator[Request], grpc.ServicerContext], Iterator[Response]]:
        """Like `around`, of a stream of requests, which ends with UNAVAILABLE where another one is waited for when the server stops."""

        def interruptible(requests: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Response]:
            arriving = _Arriving(requests, context, self._changed, self.stopping)
            try:
                yield from behaviour(arriving, context)
            finally:
                arriving.close()

        return self.around(interruptible)

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


class _Arriving(Generic[Request]):
    """The requests of a stream as they arrive. gRPC lets nobody wait for the next one and for anything else at the same time, so that
    a thread of its own does the former, one request ahead."""

    def __init__(
        self, requests: Iterator[Request], context: grpc.ServicerContext, changed: Condition, stopping: Callable[[], bool]
    ) -> None:
        self._context = context
        self._changed = changed
        self._stopping = stopping
        self._there: list[Request] = []
        self._end: Exception | None = None
        self._closed = False
        Thread(target=self._read, args=(requests,), name="stream", daemon=True).start()

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        with self._changed:
            self._changed.wait_for(lambda: self._there or self._end is not None or self._stopping())
            if not self._stopping():
                if self._there:
                    request = self._there.pop()
                    self._changed.notify_all()
                    return request
                assert self._end is not None
                raise self._end
        # Also where a request has come: what is not answered is sent again.
        self._context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        raise AssertionError("abort raises")

    def close(self) -> None:
        """Take no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _read(self, requests: Iterator[Request]) -> None:
        try:
            for request in requests:
                with self._changed:
                    self._there.append(request)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: not self._there or self._closed)
                    if self._closed:
                        return
            end: Exception = StopIteration()
        except Exception as error:
            # The stream was cancelled, which whoever waits for its next request is to learn of.
            end = error
        with self._changed:
            self._end = end
            self._changed.notify_all()
