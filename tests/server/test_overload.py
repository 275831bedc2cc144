"""An overloaded server: feeds are turned away with a delay before they are read, and events go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from waiting import soon

from recommender.client.failures import PUSHBACK, retry_after_of
from server.admission import RETRY_LEAST_S, RETRY_MOST_S, RETRY_SPREAD
from server.interceptor import CallInterceptor
from server.lanes import Lane
from server.metrics import Metrics
from server.streams import StreamLimit

FEED, EVENT, OTHER = "/test.Feeds/Get", "/test.Events/Record", "/test.Other/Do"


class Held(grpc.GenericRpcHandler):
    """Every method tells that it has begun, waits until it is let go, and answers with what it was sent; all that is read is noted."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.read: list[bytes] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def read(message: bytes) -> bytes:
            self.read.append(message)
            return message

        def behaviour(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.begun.release()
            if request.startswith(b"held"):
                self.go.wait(20)
            return request

        return grpc.unary_unary_rpc_method_handler(behaviour, request_deserializer=read)


class Overloaded:
    """A server with one thread for feeds and one for events, and a feed that has begun and is held."""

    def __init__(self) -> None:
        self.held, self.metrics = Held(), Metrics(lambda: datetime.now(UTC))
        self.feeds, events = Lane("feeds", 1, 1e-6), Lane("events", 1, 1.0)
        interceptor = CallInterceptor(self.metrics, StreamLimit(1), {"test.Feeds": self.feeds, "test.Events": events})
        self.pools = (Lane("others", 1, 1.0), self.feeds, events)
        self.server = grpc.server(self.pools[0], interceptors=[interceptor])
        self.server.add_generic_rpc_handlers((self.held,))
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        # From one call on it is known that calls take time.
        self.call(FEED, b"first").result()
        self.first = self.call(FEED, b"held")
        for _ in range(2):
            assert self.held.begun.acquire(timeout=20)

    def call(self, path: str, message: bytes) -> Future[bytes]:
        future: Any = self.channel.unary_unary(path).future(message, timeout=20)
        return future

    def refusal(self, message: bytes = b"too many") -> Any:
        with pytest.raises(grpc.RpcError) as caught:
            self.call(FEED, message).result()
        return caught.value

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def overloaded() -> Iterator[Overloaded]:
    made = Overloaded()
    yield made
    made.held.go.set()
    made.channel.close()
    made.server.stop(0).wait()
    for pool in made.pools:
        pool.shutdown()


def test_a_feed_beyond_what_can_be_answered_in_time_is_turned_away_with_a_delay(overloaded: Overloaded) -> None:
    refusal = overloaded.refusal()

    assert refusal.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    delay = retry_after_of(refusal)
    assert delay is not None
    assert RETRY_LEAST_S <= delay <= RETRY_MOST_S * (1 + RETRY_SPREAD)
    assert dict(refusal.trailing_metadata())[PUSHBACK] == str(round(delay * 1e3))
    assert f"try again in {round(delay * 1e3)} ms" in refusal.details()


def test_a_call_that_is_turned_away_is_counted_and_never_read(overloaded: Overloaded) -> None:
    for _ in range(3):
        overloaded.refusal(b"nobody reads this")

    assert overloaded.held.read == [b"first", b"held"]
    assert overloaded.count("recommender_turned_away_total", method="Get", why="wait") == 3
    assert overloaded.count("recommender_requests_total", method="Get", code="RESOURCE_EXHAUSTED") == 3


def test_events_and_other_calls_go_on_while_feeds_are_turned_away(overloaded: Overloaded) -> None:
    overloaded.refusal()

    assert overloaded.call(EVENT, b"event").result() == b"event"
    assert overloaded.call(OTHER, b"health").result() == b"health"
    assert overloaded.count("recommender_turned_away_total", method="Record", why="wait") in (None, 0)


def test_events_wait_where_feeds_would_be_turned_away(overloaded: Overloaded) -> None:
    waiting = [overloaded.call(EVENT, message) for message in (b"held event", b"second", b"third")]
    overloaded.held.go.set()

    assert [call.result() for call in waiting] == [b"held event", b"second", b"third"]


def test_when_the_work_is_done_feeds_are_let_in_again(overloaded: Overloaded) -> None:
    overloaded.refusal()
    overloaded.held.go.set()

    assert overloaded.first.result() == b"held"
    overloaded.feeds.submit(lambda: None).result()
    assert overloaded.call(FEED, b"next").result() == b"next"


def test_a_call_that_its_caller_gave_up_makes_room(overloaded: Overloaded) -> None:
    calls = [overloaded.channel.unary_unary(EVENT).future(b"held event", timeout=20) for _ in range(3)]
    assert overloaded.held.begun.acquire(timeout=20)
    for call in calls:
        call.cancel()
    overloaded.held.go.set()

    # It comes in after those that were given up, so that with its answer they have all had their turn.
    assert overloaded.call(EVENT, b"event").result() == b"event"
    assert soon(lambda: not overloaded.pools[2].admission.inside)


def test_a_pool_that_is_shut_counts_nobody() -> None:
    lane = Lane("closed", 1, 1.0)
    lane.shutdown()
    with pytest.raises(RuntimeError):
        lane.submit(lambda: None)
    assert lane.admission.inside == 0
