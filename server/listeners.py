"""Makes the gRPC listeners: the front ends' one and the operators' one, each with health and reflection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from recommender.errors import InvalidInput
from server.addresses import Address
from server.interceptor import CallInterceptor
from server.lanes import Lane

WAITING_PER_THREAD = 32
"""Calls that may wait for each thread; whatever their kind, more are refused, without a word on when to come again."""

CONNECTION_AGE_S = 300
"""How old a connection grows. gRPC itself varies it by a tenth either way, so that not all come back at once."""

CONNECTION_GRACE_S = 30
"""How long the calls of a connection that has grown old may still take; ends streaming calls too."""


class Health(health.HealthServicer):
    """The health service without its streaming method, which clients that would watch are prepared for.

    grpcio's own Watch either holds a thread for as long as somebody watches, or can block the whole server for ever: when a
    watcher leaves in the moment in which a status is set, each of the two waits for the other.
    """

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=False)

    def Watch(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext, *_: object, **__: object) -> NoReturn:
        """Say that there is no such method."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "watching is not offered; ask with Check")
        raise AssertionError("abort raises")


class Listener:
    """One gRPC server on one address.

    `lanes` are what its `interceptor` puts calls in, to end with it; what is in none has `threads`.
    `services` adds each service by its full name. Every service is NOT_SERVING in health until `serving` is told about it;
    the overall status "" is what load balancers should go by.
    """

    def __init__(
        self,
        setting: str,
        address: Address,
        services: Mapping[str, Callable[[grpc.Server], None]],
        interceptor: CallInterceptor,
        *,
        lanes: Collection[Lane] = (),
        threads: int,
        message_bytes: int,
    ) -> None:
        self._services = tuple(services)
        self._interceptor = interceptor
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=setting)
        self._pools = (self._pool, *lanes)
        self._server = grpc.server(
            self._pool,
            interceptors=[interceptor],
            maximum_concurrent_rpcs=(threads + sum(lane.threads for lane in lanes)) * WAITING_PER_THREAD,
            options=[
                # Two programs on one port would share its connections in silence; one of them must fail instead.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", message_bytes),
                ("grpc.max_connection_age_ms", CONNECTION_AGE_S * 1_000),
                ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_S * 1_000),
            ],
        )
        self._health = Health()
        for name in ("", *self._services):
            self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        for add in services.values():
            add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        try:
            port = self._server.add_insecure_port(str(address))
        except RuntimeError as error:
            self._shut()
            raise InvalidInput(f"setting {setting}", str(address), "an address of this machine whose port is free") from error
        self.address = Address(address.host, port)

    def start(self) -> None:
        """Take calls."""
        self._server.start()

    def serving(self, *services: str) -> None:
        """Say in health that `services` serve; "" is the overall status."""
        for name in services:
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_s: float) -> Callable[[], None]:
        """Say NOT_SERVING and take no more calls; the returned function waits until the running ones ended or `grace_s` is over.

        Streams that wait for their callers end at once.
        """
        self._health.enter_graceful_shutdown()
        stopped = self._server.stop(grace_s)
        self._interceptor.stop()

        def wait() -> None:
            stopped.wait()
            self._shut()

        return wait

    def _shut(self) -> None:
        for pool in self._pools:
            pool.shutdown()
