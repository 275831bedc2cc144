"""Lanes: feeds, events and everything else each have threads of their own, so that none waits behind another kind.

A lane is a thread pool that counts who waits in it. grpcio runs a call in the pool that the attribute `experimental_thread_pool` of its
behaviour names, and in the server's own pool without it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, NoReturn, TypeVar

import grpc

from server.admission import Admission

PUSHBACK = "grpc-retry-pushback-ms"
"""Trailing metadata: milliseconds after which a call that was turned away may be tried again. gRPC's clients go by it (gRFC A6), where
their retry policy names RESOURCE_EXHAUSTED."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Made = TypeVar("Made")


class Lane(ThreadPoolExecutor):
    """Threads for one kind of call, `threads` of them, and the `admission` to them, which lets nobody in to waits longer than `wait_s`."""

    def __init__(self, name: str, threads: int, wait_s: float) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self.name = name
        self.threads = threads
        self.admission = Admission(threads, wait_s)
        self._here = threading.local()

    def submit(self, work: Callable[..., Made], /, *arguments: object, **named: object) -> Future[Made]:
        """Run `work` when its turn comes. It counts from now until it has ended, whether anybody still wants it or not."""
        try:
            return super().submit(self._counted, self.admission.enter(), work, arguments, named)
        except RuntimeError:
            # The pool takes no more: the server is being stopped.
            self.admission.leave()
            raise

    def _counted(self, entered: float, work: Callable[..., Made], arguments: tuple[object, ...], named: dict[str, object]) -> Made:
        self._here.entered = entered
        try:
            return work(*arguments, **named)
        finally:
            self.admission.leave()

    @property
    def entered(self) -> float:
        """When the call that this thread works on came in, as a `time.monotonic()` value."""
        entered: float = self._here.entered
        return entered


class OnLane(Generic[Request, Response]):
    """A behaviour that runs in a lane."""

    def __init__(self, lane: Lane, behaviour: Callable[[Request, grpc.ServicerContext], Response]) -> None:
        self.experimental_thread_pool = lane
        self._behaviour = behaviour

    def __call__(self, request: Request, context: grpc.ServicerContext) -> Response:
        return self._behaviour(request, context)


class _AtOnce(ThreadPoolExecutor):
    """No threads: work is done where it is handed in."""

    def submit(self, work: Callable[..., Made], /, *arguments: object, **named: object) -> Future[Made]:
        done: Future[Made] = Future()
        done.set_result(work(*arguments, **named))
        return done


class TurnedAway:
    """Answers a call at once with RESOURCE_EXHAUSTED and a retry delay of `retry_s`, in the thread that takes calls in.

    It declares a stream of requests, though there is one, since grpcio then does not wait for it: nothing is read or parsed.
    """

    experimental_thread_pool = _AtOnce(1)

    def __init__(self, retry_s: float) -> None:
        self._retry_s = retry_s

    def __call__(self, requests: object, context: grpc.ServicerContext) -> NoReturn:
        turn_away(context, self._retry_s)


def turn_away(context: grpc.ServicerContext, retry_s: float) -> NoReturn:
    """End the call with RESOURCE_EXHAUSTED: more calls are here than can be answered in time. It may be tried again after `retry_s`."""
    milliseconds = math.ceil(retry_s * 1e3)
    context.set_trailing_metadata(((PUSHBACK, str(milliseconds)),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"more calls than can be answered in time; try again in {milliseconds} ms")
    raise AssertionError("abort raises")
