"""What happens around every call: too many are turned away, errors become status codes, and each call is counted, timed and logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeAlias, TypeVar
from uuid import uuid4

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from recommender.errors import RecommenderError, StoreError
from server.deadlines import remaining_of
from server.lanes import Lane, OnLane, TurnedAway, turn_away
from server.logs import LOGGER_NAME
from server.metrics import Metrics
from server.status import code_of, fitting, message_of
from server.streams import StreamLimit

_LOG = logging.getLogger(f"{LOGGER_NAME}.calls")

NO_LANES: Mapping[str, Lane] = {}

LEAST_S = 0.002
"""Whoever gives less time than this when a turn has come, after waiting for it, would get no answer in time, however little is done."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every call; of streaming calls it limits number and age, and counts all but reflection's.

    `lanes`: the lane of each service, by its full name, that has one; whoever finds it full is turned away before anything is read.
    A domain error becomes its status code with its message. Anything else becomes INTERNAL with nothing but a request id,
    under which the log holds the details.
    """

    def __init__(self, metrics: Metrics, streams: StreamLimit, lanes: Mapping[str, Lane] = NO_LANES) -> None:
        self._metrics = metrics
        self._streams = streams
        self._lanes = lanes
        self._wrapped: dict[str, tuple[Handler, Lane | None, Callable[[], None]]] = {}

    def stop(self) -> None:
        """Let no stream of requests hold up the end of the server."""
        self._streams.stop()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler of the call with everything around it, or None where there is no such method."""
        known = self._wrapped.get(handler_call_details.method)
        if known is None:
            handler = continuation(handler_call_details)
            if handler is None:
                # Not kept: anybody may ask for any name.
                return None
            known = self._wrapped[handler_call_details.method] = self._wrap(handler_call_details.method, handler)
        wrapped, lane, count_turned_away = known
        if lane is not None:
            retry_s = lane.admission.refusal()
            if retry_s is not None:
                count_turned_away()
                return grpc.stream_unary_rpc_method_handler(TurnedAway(retry_s))
        return wrapped

    def _wrap(self, path: str, handler: Handler) -> tuple[Handler, Lane | None, Callable[[], None]]:
        _, service, method = path.rsplit("/", 2)
        lane = self._lanes.get(service)
        turned_away = self._metrics.turned_away.labels(method, "wait")

        def count_turned_away() -> None:
            self._metrics.ended(method, grpc.StatusCode.RESOURCE_EXHAUSTED.name)
            turned_away.inc()

        if handler.stream_stream is not None:
            plain = handler.stream_stream
            streamed = self._streams.around_requests(plain if service == reflection.SERVICE_NAME else self._around_stream(method, plain))
            wrapped = grpc.stream_stream_rpc_method_handler(streamed, handler.request_deserializer, handler.response_serializer)
        elif handler.unary_stream is not None and service != health.SERVICE_NAME:
            streamed = self._streams.around(self._around_stream(method, handler.unary_stream))
            wrapped = grpc.unary_stream_rpc_method_handler(streamed, handler.request_deserializer, handler.response_serializer)
        elif handler.unary_unary is not None:
            around = self._around(method, handler.unary_unary, lane)
            wrapped = grpc.unary_unary_rpc_method_handler(
                around if lane is None else OnLane(lane, around), handler.request_deserializer, handler.response_serializer
            )
        else:
            wrapped = handler
        return wrapped, lane, count_turned_away

    def _around(
        self, method: str, behaviour: Callable[[Request, grpc.ServicerContext], Response], lane: Lane | None
    ) -> Callable[[Request, grpc.ServicerContext], Response]:
        # Enumerations are slow to look up.
        ok, names = grpc.StatusCode.OK, {code: code.name for code in grpc.StatusCode}
        in_flight, seconds = self._metrics.in_flight, self._metrics.seconds.labels(method)
        waits = None if lane is None else self._metrics.waits.labels(lane.name)
        turned_away = self._metrics.turned_away.labels(method, "deadline")

        def check_in(context: grpc.ServicerContext, lane: Lane, remaining: float | None) -> float | None:
            """Note how long the call waited and how long its caller gives; a retry delay where too little is left of that."""
            waited = time.monotonic() - lane.entered
            if waits is not None:
                waits.observe(waited)
            lane.admission.gives(None if remaining is None else waited + remaining)
            return lane.admission.too_late() if remaining is not None and remaining < LEAST_S < waited else None

        def call(request: Request, context: grpc.ServicerContext) -> Response:
            started = time.perf_counter()
            in_flight.inc()
            code, error_name = ok, ""
            try:
                remaining = remaining_of(context)
                # Work that nobody waits for any more would only delay the calls behind it.
                if not context.is_active() or (remaining is not None and remaining <= 0):
                    code = grpc.StatusCode.DEADLINE_EXCEEDED
                    _abort(context, code, "the deadline had passed before the call's turn came")
                if lane is not None:
                    retry_s = check_in(context, lane, remaining)
                    if retry_s is not None:
                        code = grpc.StatusCode.RESOURCE_EXHAUSTED
                        turned_away.inc()
                        turn_away(context, retry_s)
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
                self._metrics.ended(method, names[code])
                if _LOG.isEnabledFor(logging.DEBUG):
                    # Only names and numbers: messages quote what was given, which may be somebody's id.
                    _LOG.debug("call", extra={"method": method, "code": code.name, "ms": round(took * 1e3, 3), "error": error_name})

        return call

    def _around_stream(
        self, method: str, behaviour: Callable[[Request, grpc.ServicerContext], Iterator[Response]]
    ) -> Callable[[Request, grpc.ServicerContext], Iterator[Response]]:
        """A stream of answers, to one request or to a stream of them: counted when it ends, its errors told as those of other calls are."""

        def call(request: Request, context: grpc.ServicerContext) -> Iterator[Response]:
            code = grpc.StatusCode.OK
            try:
                yield from behaviour(request, context)
            except RecommenderError as error:
                code = code_of(error, method)
                if isinstance(error, StoreError):
                    told = {"method": method, "code": code.name, "error": type(error).__name__, "why": str(error)}
                    _LOG.error("store failed", extra=told)
                _abort(context, code, message_of(error))
            except (GeneratorExit, grpc.RpcError):
                # The caller has gone, or the stream was ended for its age while it waited for a request.
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception:
                if context.code() is not None:  # type: ignore[attr-defined]
                    code = context.code()  # type: ignore[attr-defined]
                    raise
                code, request_id = grpc.StatusCode.INTERNAL, uuid4().hex
                _LOG.exception("call failed", extra={"method": method, "request_id": request_id})
                _abort(context, code, f"internal error; the server's log has it as request {request_id}")
            finally:
                self._metrics.ended(method, code.name)

        return call


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, fitting(message))
    raise AssertionError("abort raises")
