"""Streaming calls: idle ones neither keep others waiting nor stay for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from waiting import soon

from server.interceptor import CallInterceptor
from server.metrics import Metrics
from server.streams import StreamLimit

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

Idle = Callable[[], Iterator[Any]]


@pytest.fixture
def idle() -> Iterator[Idle]:
    """Makes streams of requests that send none until the test is over."""
    over = threading.Event()

    def requests() -> Iterator[Any]:
        over.wait()
        yield from ()

    yield requests
    over.set()


def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    code: grpc.StatusCode = caught.value.code()  # type: ignore[attr-defined]
    return code


def test_more_idle_streams_than_threads_leave_feeds_and_health_answering(
    world: World, serve: Serve, idle: Callable[[], Iterator[Any]]
) -> None:
    world.publish()
    live = serve(threads=4)
    with grpc.insecure_channel(live.server.addresses.listen) as channel:
        reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        streams = [reflect(idle()) for _ in range(12)]

        assert live.ids(user="ann")
        check = health_pb2_grpc.HealthStub(channel).Check
        assert check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
        # One of four threads is lent to a stream.
        ended = {stream.code() for stream in streams if stream.done()}
        assert ended <= {grpc.StatusCode.RESOURCE_EXHAUSTED}
        beyond = reflect(idle())
        assert code_of(beyond) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert beyond.details().startswith("too many streaming calls: 1 at once")
        for stream in streams:
            stream.cancel()


def test_health_is_asked_for_and_not_watched(live: Deployment) -> None:
    """grpcio's Watch may block a server for ever when a watcher leaves in the moment in which a status is set."""
    with grpc.insecure_channel(live.server.addresses.listen) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch

        # A client that would watch takes this for "healthy" and goes on.
        assert {code_of(watch(health_pb2.HealthCheckRequest(), timeout=20)) for _ in range(20)} == {grpc.StatusCode.UNIMPLEMENTED}
        assert live.ids(user="ann")


class Echo(grpc.GenericRpcHandler):
    """Streams back what is streamed in."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def behaviour(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            yield from requests

        return grpc.stream_stream_rpc_method_handler(behaviour)


def test_an_old_stream_ends_and_makes_room(live: Deployment, idle: Idle) -> None:
    limit = StreamLimit(1, age_s=0.2)
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[CallInterceptor(Metrics(live.clock), limit)])
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            echo = channel.stream_stream("/test.Service/Method")

            def echoed() -> bool:
                # The client may hear of the end before the server's thread does, and a busy machine may be too slow for the age.
                try:
                    return list(echo(iter([b"a", b"b"]), timeout=20)) == [b"a", b"b"]
                except grpc.RpcError:
                    return False

            assert code_of(echo(idle(), timeout=20)) is grpc.StatusCode.CANCELLED
            for _ in range(3):
                assert soon(echoed)
    finally:
        server.stop(0).wait()
