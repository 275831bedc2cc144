"""What happens around every call: errors become status codes, and each call is counted, timed and logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar
from uuid import uuid4

import grpc

from recommender.errors import RecommenderError, StoreError
from server.logs import LOGGER_NAME
from server.metrics import Metrics
from server.status import code_of, fitting, message_of
from server.streams import StreamLimit

_LOG = logging.getLogger(f"{LOGGER_NAME}.calls")

Request = TypeVar("Request")
Response = TypeVar("Response")


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every unary call; of streaming calls (reflection) it only limits number and age.

    A domain error becomes its status code with its message. Anything else becomes INTERNAL with nothing but a request id,
    under which the log holds the details.
    """

    def __init__(self, metrics: Metrics, streams: StreamLimit) -> None:
        self._metrics = metrics
        self._streams = streams

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the call with everything around it, or None where there is no such method."""
        handler = continuation(handler_call_details)
        if handler is not None and handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self._streams.around(handler.stream_stream), handler.request_deserializer, handler.response_serializer
            )
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler_call_details.method.rpartition("/")[2]
        return grpc.unary_unary_rpc_method_handler(
            self._around(method, handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _around(
        self, method: str, behaviour: Callable[[Request, grpc.ServicerContext], Response]
    ) -> Callable[[Request, grpc.ServicerContext], Response]:
        in_flight, seconds = self._metrics.in_flight, self._metrics.seconds.labels(method)

        def call(request: Request, context: grpc.ServicerContext) -> Response:
            started = time.perf_counter()
            in_flight.inc()
            code, error_name = grpc.StatusCode.OK, ""
            try:
                # Work that nobody waits for any more would only delay the calls behind it.
                if not context.is_active() or _is_late(context):
                    code = grpc.StatusCode.DEADLINE_EXCEEDED
                    _abort(context, code, "the deadline had passed before the call's turn came")
                response = behaviour(request, context)
                code = context.code() or code  # type: ignore[attr-defined]
                return response
            except RecommenderError as error:
                code, error_name = code_of(error, method), type(error).__name__
                if isinstance(error, StoreError):
                    _LOG.error("store failed", extra={"method": method, "code": code.name, "error": error_name, "why": str(error)})
                _abort(context, code, message_of(error))
            except Exception as error:
                if code is not grpc.StatusCode.OK:
                    raise
                code, error_name = grpc.StatusCode.INTERNAL, type(error).__name__
                request_id = uuid4().hex
                _LOG.exception("call failed", extra={"method": method, "request_id": request_id})
                _abort(context, code, f"internal error; the server's log has it as request {request_id}")
            finally:
                took = time.perf_counter() - started
                in_flight.dec()
                seconds.observe(took)
                self._metrics.requests.labels(method, code.name).inc()
                # Only names and numbers: messages quote what was given, which may be somebody's id.
                _LOG.debug("call", extra={"method": method, "code": code.name, "ms": round(took * 1e3, 3), "error": error_name})

        return call


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, fitting(message))
    raise AssertionError("abort raises")


def _is_late(context: grpc.ServicerContext) -> bool:
    remaining = context.time_remaining()
    return remaining is not None and remaining <= 0
