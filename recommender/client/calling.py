"""A connection to a server, and how calls are made over it: within their time, and again where a server asks for that."""

from __future__ import annotations

import json
import random
import time
from typing import Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recommender.client.failures import Unavailable, failure_of, retry_after_of

TIMEOUT_S = 5.0
HEALTH_PAUSE_S = 0.05
TRIES = 4
"""How often a call is sent, at the most, that the server turns away and asks to be tried again."""
RETRY_SPREAD = 0.25
"""The delay that a server asks for is lengthened at random by up to this share, so that clients do not come back in step."""

# Every method but activation may be repeated: reads change nothing, events count once, and the same item or link again is no change.
_RETRIED = ("FeedService", "EventService", "CatalogService")
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": f"recommender.v1.{service}"} for service in _RETRIED],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # A call that reaches a server in the moment of its stop is CANCELLED before anything was done for it.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}

Request = TypeVar("Request")
Response = TypeVar("Response")


class Connection:
    """Channels to the front ends' address `target` and, where given, the operators' one, `admin_target`; safe for many threads."""

    def __init__(self, target: str, admin_target: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        options = [("grpc.service_config", json.dumps(_SERVICE_CONFIG)), ("grpc.enable_retries", 1)]
        # Answers and batches of items may be larger than gRPC's own limit of 4 MiB.
        options += [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.timeout_s = timeout_s
        self._channel = grpc.insecure_channel(target, options)
        self._admin_channel = grpc.insecure_channel(admin_target, options) if admin_target else None
        self._check_health = health_pb2_grpc.HealthStub(self._channel).Check  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the connections."""
        self._channel.close()
        if self._admin_channel is not None:
            self._admin_channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def wait_until_serving(self, timeout_s: float = 30.0) -> None:
        """Return once the server makes feeds. Raises `Unavailable` when it does not within `timeout_s` seconds."""
        end = time.monotonic() + timeout_s
        why = "it says NOT_SERVING"
        while (left := end - time.monotonic()) > 0:
            try:
                answer = self._check_health(health_pb2.HealthCheckRequest(), timeout=left, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError as error:
                why = str(error.details())
            time.sleep(min(HEALTH_PAUSE_S, left))
        raise Unavailable(grpc.StatusCode.UNAVAILABLE, f"no feeds are served after {timeout_s:g} s: {why}")

    def serves(self, service: str = "") -> bool:
        """Whether the server says that `service` serves, by its full name; "" asks whether feeds are made.

        Asked once, without retries. Raises `Missing` where there is no such service and `Unavailable` where nobody listens.
        """
        try:
            answer = self._check_health(health_pb2.HealthCheckRequest(service=service), timeout=self.timeout_s)
        except grpc.RpcError as error:
            raise failure_of(error) from error
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _admin(self) -> grpc.Channel:
        if self._admin_channel is None:
            raise ValueError("items, generations, decisions and retention are kept on the operators' address: give admin_target")
        return self._admin_channel

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout_s: float | None = None) -> Response:
        end = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        for further in reversed(range(TRIES)):
            try:
                return method(request, timeout=max(end - time.monotonic(), 0))
            except grpc.RpcError as error:
                delay = retry_after_of(error)
                if delay is not None:
                    delay *= 1 + RETRY_SPREAD * random.random()
                if not further or delay is None or time.monotonic() + delay >= end:
                    raise failure_of(error) from error
            time.sleep(delay)
        raise AssertionError("the last try raises")
