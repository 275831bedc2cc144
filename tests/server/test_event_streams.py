"""Events in many batches over one stream: each answered when it is durable, and nothing lost or doubled however a stream ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from waiting import soon

from recommender.client import Client, InvalidArgument, Unavailable
from recommender.client.messages import event_message
from recommender.client.streaming import WINDOW
from recommender.events import Event, EventType, Subject
from recommender.v1 import event_pb2, event_pb2_grpc
from server import event_service

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

ACCEPTED, REJECTED = event_pb2.EVENT_STATUS_ACCEPTED, event_pb2.EVENT_STATUS_REJECTED


def click(event_id: str, item_id: str = "comedy-00") -> Event:
    return Event(event_id, EventType.CLICK, Subject.user("ann"), item_id)


def batches_of(count: int, size: int = 3) -> list[list[Event]]:
    return [[click(f"{batch}-{place}") for place in range(size)] for batch in range(count)]


def request(events: Sequence[Event]) -> event_pb2.StreamEventsRequest:
    return event_pb2.StreamEventsRequest(events=[event_message(event) for event in events])


class Sender:
    """A stream held open by hand."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._requests = SimpleQueue[event_pb2.StreamEventsRequest | None]()
        stub = event_pb2_grpc.EventServiceStub(channel)
        self.call: Any = stub.StreamEvents(iter(self._requests.get, None), timeout=30)

    def sent(self, events: Sequence[Event]) -> event_pb2.StreamEventsResponse:
        """The answer to a batch, without any further one or the end being sent."""
        self._requests.put(request(events))
        answer: event_pb2.StreamEventsResponse = next(self.call)
        return answer

    def end(self) -> None:
        self._requests.put(None)


@pytest.fixture
def channel(live: Deployment) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(live.server.addresses.listen) as opened:
        yield opened


def events_of(world: World) -> int:
    with world.open() as store:
        return store.counts().events


def test_every_batch_is_answered_in_order(live: Deployment, world: World) -> None:
    batches = batches_of(3 * WINDOW)
    answers = list(live.client.record_stream(batches))
    assert [[result.event_id for result in answer.results] for answer in answers] == [[event.id for event in batch] for batch in batches]
    assert {answer.accepted for answer in answers} == {3}
    assert events_of(world) == 9 * WINDOW
    assert list(live.client.record_stream([])) == []


def test_a_batch_is_durable_and_counts_before_the_stream_goes_on(channel: grpc.Channel, live: Deployment, world: World) -> None:
    sender = Sender(channel)
    for place in range(3):
        assert sender.sent([click(f"e{place}", f"comedy-0{place}")]).accepted == 1
        # Read by another process's connection, while the stream is still open.
        assert events_of(world) == place + 1
        assert f"comedy-0{place}" not in live.ids(user="ann", page_size=100)
    sender.end()
    assert list(sender.call) == []
    assert sender.call.code() is grpc.StatusCode.OK


def test_bad_events_of_a_stream_are_rejected_one_by_one(live: Deployment) -> None:
    (first, second) = live.client.record_stream([[click("a"), click("b", "nowhere"), click("a")], [click("c")]])
    assert [(result.event_id, result.status) for result in first.results][:2] == [("a", ACCEPTED), ("b", REJECTED)]
    assert first.results[1].message.startswith("events[1].item_id: given 'nowhere'")
    assert (first.accepted, first.duplicates, first.rejected, second.accepted) == (1, 1, 1, 1)


@pytest.mark.parametrize("size", [0, 1_001])
def test_a_batch_that_cannot_be_ends_the_stream_behind_the_answers_before_it(live: Deployment, world: World, size: int) -> None:
    answers = []
    with pytest.raises(InvalidArgument, match=rf"^requests\[2\].events: given '{size} of them'"):
        answers.extend(live.client.record_stream([[click("a")], [click("b")], [click(f"c{place}") for place in range(size)], [click("d")]]))
    assert events_of(world) == 2


def test_a_broken_stream_loses_nothing_that_was_answered(
    channel: grpc.Channel, live: Deployment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long a busy machine takes, it is not to end in good order by itself.
    monkeypatch.setattr(event_service, "ORDERLY_S", 3_600.0)
    sender = Sender(channel)
    answered = [sender.sent(batch).accepted for batch in batches_of(5)]
    sender.call.cancel()
    assert answered == [3] * 5
    assert events_of(world) == 15
    # Its thread is free again, and its end is counted as what it was.
    registry = live.server.metrics.registry
    counted = {"method": "StreamEvents", "code": "CANCELLED"}
    assert soon(lambda: registry.get_sample_value("recommender_requests_total", counted) == 1)
    assert [answer.duplicates for answer in live.client.record_stream(batches_of(6))] == [3] * 5 + [0]


def test_a_stream_that_has_grown_old_ends_in_order_and_the_client_goes_on(
    live: Deployment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As old as that after its first batch.
    monkeypatch.setattr(event_service, "ORDERLY_S", 0.0)
    answers = list(live.client.record_stream(batches_of(10)))
    assert [answer.results[0].event_id for answer in answers] == [f"{batch}-0" for batch in range(10)]
    assert events_of(world) == 30
    registry = live.server.metrics.registry
    ended = registry.get_sample_value("recommender_requests_total", {"method": "StreamEvents", "code": "OK"})
    assert ended is not None
    assert ended >= 9


def test_the_client_goes_on_with_a_server_that_was_started_anew(serve: Serve, world: World) -> None:
    first = serve()
    address = first.server.addresses.listen
    with Client(address) as client:
        answers = client.record_stream(batches_of(20))
        begun = [next(answers) for _ in range(4)]
        first.server.stop()
        serve(listen=address)
        answered = begun + list(answers)
    assert [answer.results[0].event_id for answer in answered] == [f"{batch}-0" for batch in range(20)]
    assert {result.status for answer in answered for result in answer.results} <= {
        ACCEPTED,
        event_pb2.EVENT_STATUS_DUPLICATE,
    }
    assert events_of(world) == 60


def test_without_a_server_the_stream_is_given_up(live: Deployment) -> None:
    address = live.server.addresses.listen
    live.server.stop()
    with Client(address) as client, pytest.raises(Unavailable):
        next(client.record_stream(batches_of(1)))


def test_streams_take_a_quarter_of_the_threads_and_unary_calls_go_on(world: World, serve: Serve) -> None:
    live = serve(threads=4)
    with grpc.insecure_channel(live.server.addresses.listen) as channel:
        one = Sender(channel)
        assert one.sent([click("a")]).accepted == 1
        other = Sender(channel)
        with pytest.raises(grpc.RpcError) as refused:
            other.sent([click("b")])
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert live.client.record([click("c")]).accepted == 1
        assert one.sent([click("d")]).accepted == 1
        one.end()
        other.end()
    assert events_of(world) == 3


def test_two_streams_that_bring_the_same_events_count_each_once(live: Deployment, world: World) -> None:
    accepted = [0, 0]

    def send(place: int) -> None:
        accepted[place] = sum(answer.accepted for answer in live.client.record_stream(batches_of(20)))

    senders = [threading.Thread(target=send, args=(place,)) for place in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(timeout=60)
    assert sum(accepted) == events_of(world) == 60


def test_a_stream_that_waits_for_a_batch_does_not_hold_up_the_end_of_a_server(
    live: Deployment, serve: Serve, channel: grpc.Channel
) -> None:
    patient = serve(grace_s=600)
    with grpc.insecure_channel(patient.server.addresses.listen) as opened:
        sender = Sender(opened)
        assert sender.sent([click("before")]).accepted == 1
        stopping = threading.Thread(target=patient.server.stop)
        stopping.start()
        with pytest.raises(grpc.RpcError) as ended:
            next(sender.call)
        stopping.join(60)

    assert not stopping.is_alive()
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    assert "what was answered before is done" in str(ended.value.details())  # type: ignore[attr-defined]
    assert Sender(channel).sent([click("before"), click("after")]).duplicates == 1


def test_a_stream_of_the_client_goes_on_by_the_server_that_comes_after_the_one_that_stops(serve: Serve, world: World) -> None:
    first = serve()
    address = first.server.addresses.listen
    held = threading.Event()

    def batches() -> Iterator[list[Event]]:
        yield from batches_of(3)
        held.wait(60)
        yield [click("last")]

    with Client(address, timeout_s=20) as client:
        answers = client.record_stream(batches())
        # The client takes batches ahead, and so waits for the fourth before it gives the second answer.
        begun = threading.Thread(target=lambda: (first.server.stop(), serve(listen=address), held.set()))
        begun.start()
        assert [answer.accepted + answer.duplicates for answer in answers] == [3, 3, 3, 1]
        begun.join(60)
    with world.open() as store:
        assert store.counts().events == 10
