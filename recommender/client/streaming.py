"""Events in many batches over one stream: a few on the way, each answered, and sent again where the stream ended before its answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeAlias

import grpc

from recommender.client.failures import failure_of, retry_after_of
from recommender.client.messages import event_message
from recommender.events import Event
from recommender.v1 import event_pb2

WINDOW = 4
"""Batches on the way at once: enough that the next one is there when the server has written one."""
STREAM_S = 60.0
"""Seconds that one stream may take; a server ends it long before."""
TRIES = 4
"""How often streams are opened, at the most, that end without another answer."""
PAUSE_S = 0.1
"""Seconds before the second try; each further one doubles them."""

_PASSING = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
"""How a stream ends that has grown old, and one whose server is stopped or started anew."""

Record: TypeAlias = "grpc.StreamStreamMultiCallable[event_pb2.StreamEventsRequest, event_pb2.StreamEventsResponse]"


def recorded(record: Record, batches: Iterable[Iterable[Event]]) -> Iterator[event_pb2.StreamEventsResponse]:
    """Send `batches` and give the answer of each, in order; see `Client.record_stream`."""
    source, unanswered, tries = iter(batches), deque[event_pb2.StreamEventsRequest](), 1
    ended = False
    while not ended or unanswered:
        requests = SimpleQueue[event_pb2.StreamEventsRequest | None]()
        for request in (*unanswered, *((None,) if ended else ())):
            requests.put(request)
        # gRPC takes requests in a thread of its own. Batches are taken in the caller's, so that none is lost with a stream.
        call = record(iter(requests.get, None), timeout=STREAM_S)
        pause = 0.0
        try:
            while not ended or unanswered:
                while not ended and len(unanswered) < WINDOW:
                    batch = next(source, None)
                    ended = batch is None
                    if batch is not None:
                        unanswered.append(event_pb2.StreamEventsRequest(events=[event_message(event) for event in batch]))
                    requests.put(unanswered[-1] if batch is not None else None)
                if not unanswered:
                    break
                answer = next(call, None)
                if answer is None:
                    break
                unanswered.popleft()
                tries = 1
                yield answer
        except grpc.RpcError as error:
            delay = retry_after_of(error)
            if tries == TRIES or (delay is None and error.code() not in _PASSING):
                raise failure_of(error) from error
            pause = PAUSE_S * 2 ** (tries - 1) if delay is None else delay
            tries += 1
        finally:
            requests.put(None)
            call.cancel()
        time.sleep(pause)
