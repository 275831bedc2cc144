"""What happens around every call: status codes, metrics, logs without personal data."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import quote
from urllib.request import urlopen

import grpc
import numpy as np
import pytest
from pydantic import SecretStr

from recommender import errors
from recommender.client import ClientError, InvalidArgument, Overloaded, Unavailable
from recommender.errors import InvalidToken, NoGeneration, NotFound, RecommenderError, StoreBusy, StoreUnwritable
from recommender.items import Item, ItemKind
from recommender.v1 import catalog_pb2, event_pb2
from server.interceptor import CallInterceptor
from server.logs import start_logging
from server.metrics import Metrics
from server.status import CODES, MESSAGE_BYTES, WRITES, code_of, fitting
from server.streams import StreamLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import Deployment, Serve, World

SERVICES = (catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"], event_pb2.DESCRIPTOR.services_by_name["EventService"])


def tree(root: type[RecommenderError]) -> Iterator[type[RecommenderError]]:
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


def test_every_domain_error_has_a_code_of_its_own_or_its_parents() -> None:
    named = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, RecommenderError)}

    assert named <= set(tree(RecommenderError))
    assert set(CODES) <= named
    assert code_of(InvalidToken("page_token", "x", "y"), "GetFeed") is grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(StoreBusy(), "RecordEvents") is grpc.StatusCode.UNAVAILABLE
    assert code_of(NoGeneration(), "GetFeed") is grpc.StatusCode.UNAVAILABLE
    assert code_of(NotFound("placement", "x"), "GetFeed") is grpc.StatusCode.NOT_FOUND
    assert code_of(StoreUnwritable(), "RecordEvents") is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert code_of(StoreUnwritable(), "GetFeed") is grpc.StatusCode.UNAVAILABLE
    assert {method.name for service in SERVICES for method in service.methods} >= WRITES


class Failing(grpc.GenericRpcHandler):
    """A service whose every method fails as it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def behaviour(request: bytes, context: grpc.ServicerContext) -> bytes:
            raise self._error

        return grpc.unary_unary_rpc_method_handler(behaviour)


@pytest.fixture
def failing() -> Iterator[Callable[[Exception, Metrics], tuple[grpc.StatusCode, str]]]:
    servers = []

    def call(error: Exception, metrics: Metrics) -> tuple[grpc.StatusCode, str]:
        server = grpc.server(ThreadPoolExecutor(1), interceptors=[CallInterceptor(metrics, StreamLimit(1))])
        server.add_generic_rpc_handlers((Failing(error),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/test.Service/Method")(b"", timeout=20)
        raised: Any = caught.value
        return raised.code(), raised.details()

    yield call
    for server in servers:
        server.stop(0).wait()


def test_an_unexpected_error_reaches_the_log_and_not_the_client(
    failing: Callable[[Exception, Metrics], tuple[grpc.StatusCode, str]], live: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics(live.clock)

    code, message = failing(KeyError("a secret of ann"), metrics)

    [record] = [record for record in caplog.records if record.message == "call failed"]
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in message
    assert message.endswith(record.__dict__["request_id"])
    assert record.exc_info is not None
    assert "a secret of ann" in str(record.exc_info[1])
    assert metrics.registry.get_sample_value("recommender_requests_total", {"method": "Method", "code": "INTERNAL"}) == 1


def test_an_expected_error_reaches_the_client_with_its_text(
    failing: Callable[[Exception, Metrics], tuple[grpc.StatusCode, str]], live: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    assert failing(NoGeneration("not yet"), Metrics(live.clock)) == (grpc.StatusCode.UNAVAILABLE, "not yet")
    assert "call failed" not in caplog.text


def test_where_the_store_is_reaches_the_log_and_not_the_client(world: World, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    world.publish()
    # With a key from the settings the server has not written yet, so that nothing holds the file open for writing.
    live = serve(token_keys=SecretStr(f"key:{'0a' * 32}"))
    (world.data / "store.sqlite").rename(world.data / "elsewhere")

    with pytest.raises(Unavailable) as unread:
        live.client.get_feed(user="ann")
    with pytest.raises(Overloaded) as unwritten:
        live.act("comedy-00", user="ann")

    for caught in (unread, unwritten):
        why = "its disk is full, read-only, failing or away; what was acknowledged before is safe"
        assert str(caught.value) == f"the store cannot be written or opened now: {why}"
    records = [record for record in caplog.records if record.message == "store failed"]
    assert {record.__dict__["method"] for record in records} == {"GetFeed", "RecordEvents"}
    assert all(str(world.data / "store.sqlite") in record.__dict__["why"] for record in records)


def test_a_message_too_long_for_grpc_is_cut_and_still_arrives(
    failing: Callable[[Exception, Metrics], tuple[grpc.StatusCode, str]], live: Deployment, world: World
) -> None:
    names = [f"eigenschaft_{'ü' * 150}_{number}" for number in range(100)]
    live.client.upsert_items([Item(id="drama-12", kind=ItemKind.MEDIA, attributes=dict.fromkeys(names, 1.0))])
    world.publish()
    live.server.live.look()

    with pytest.raises(InvalidArgument, match="attributes"):
        live.client.get_feed(user="ann", filter="attributes.other == 1.0")
    code, message = failing(NoGeneration("%" * 100_000), Metrics(live.clock))

    assert code is grpc.StatusCode.UNAVAILABLE
    assert message.startswith("%" * 1_000)
    assert message.endswith("… (cut short)")


@pytest.mark.parametrize("character", ["a", "%", "ü", "語", "😀", "\n"])
def test_a_cut_message_takes_no_more_than_it_may(character: str) -> None:
    for length in range(0, 5_000, 7):
        message = character * length
        told = fitting(message)
        sent = len(quote(told, safe="".join(map(chr, range(0x20, 0x25))) + "".join(map(chr, range(0x26, 0x7F)))))
        assert sent <= MESSAGE_BYTES
        assert told == message or (told.endswith("… (cut short)") and sent > MESSAGE_BYTES - 12)


def page(live: Deployment) -> str:
    with urlopen(f"http://{live.server.addresses.metrics_listen}/metrics", timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_calls_answers_and_events_are_counted(live: Deployment) -> None:
    live.act("drama-11", user="ann")
    live.act("nowhere", user="ann")
    live.client.get_feed(user="ann")
    live.client.get_popular()
    with pytest.raises(ClientError):
        live.client.get_feed(user="ann", page_size=1000)

    # An answer arrives a moment before its call is counted; calls in flight tell when all are.
    lines = []
    for _ in range(1_000):
        lines = page(live).splitlines()
        if "recommender_requests_in_flight 0.0" in lines:
            break
    assert {
        'recommender_requests_total{code="OK",method="GetFeed"} 1.0',
        'recommender_requests_total{code="INVALID_ARGUMENT",method="GetFeed"} 1.0',
        'recommender_requests_total{code="OK",method="RecordEvents"} 2.0',
        'recommender_request_seconds_count{method="GetFeed"} 2.0',
        'recommender_answers_total{basis="PERSONAL",method="GetFeed"} 1.0',
        'recommender_answers_total{basis="CONTEXTUAL",method="GetPopular"} 1.0',
        'recommender_events_total{status="accepted"} 1.0',
        'recommender_events_total{status="rejected"} 1.0',
        "recommender_generation_loads_total 1.0",
        "recommender_generation_items 30.0",
        "recommender_live_items 30.0",
    } <= set(lines)
    [age] = [line for line in lines if line.startswith("recommender_generation_age_seconds ")]
    assert float(age.split()[1]) > 0


def test_logs_are_json_lines_without_personal_data(live: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root, own = logging.getLogger(), logging.getLogger("recommender.server")
    before = (root.handlers[:], root.level, own.level)
    try:
        start_logging("debug")
        live.act("drama-11", user="ann-o-nym")
        live.client.get_feed(user="ann-o-nym", filter='title != "Nobody Knows"')
        with pytest.raises(ClientError):
            live.client.get_feed(user="ann-o-nym", filter="title != Nobody Knows")
        live.world.publish()
        live.server.live.look()
        live.server.stop()
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        own.setLevel(before[2])

    records = [json.loads(line) for line in written.getvalue().splitlines()]
    calls = [(record["method"], record["code"], record["error"]) for record in records if record["message"] == "call"]
    assert calls == [("RecordEvents", "OK", ""), ("GetFeed", "OK", ""), ("GetFeed", "INVALID_ARGUMENT", "InvalidCondition")]
    assert {"generation serves", "stopped"} <= {record["message"] for record in records}
    assert all({"time", "level", "logger", "message"} <= set(record) for record in records)
    for private in ("ann-o-nym", "drama-11", "Nobody"):
        assert private not in written.getvalue()


def test_a_logged_failure_shows_where_it_happened_and_never_its_text(
    failing: Callable[[Exception, Metrics], tuple[grpc.StatusCode, str]], live: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root, own = logging.getLogger(), logging.getLogger("recommender.server")
    before = (root.handlers[:], root.level, own.level)
    try:
        start_logging("info")
        try:
            raise KeyError("alice@example.org")
        except KeyError as error:
            cause = ValueError("bob@example.org")
            cause.__cause__ = error
        failing(cause, Metrics(live.clock))
        engine = live.server.live.engine
        assert engine is not None
        # What a source makes of factors of the wrong shape; numpy's text quotes them.
        engine.sources[1].factors = np.ones((3, 2), dtype=np.float32)  # type: ignore[attr-defined]
        live.act("drama-11", user="ann")
        assert [entry.why for entry in live.client.get_feed(user="ann").degraded] == ["failed"]
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        own.setLevel(before[2])

    told = {record["message"]: record["exc_info"] for record in map(json.loads, written.getvalue().splitlines()) if "exc_info" in record}
    assert set(told) == {"call failed", "source failed"}
    assert "example.org" not in written.getvalue()
    lines = told["call failed"].splitlines()
    assert [line for line in lines if line.startswith("builtins.")] == ["builtins.KeyError", "builtins.ValueError"]
    assert "test_around_calls.py:" in lines[0]
    assert lines[-2].endswith(" in behaviour")
    assert "recommender/pools.py:" in told["source failed"].replace("\\", "/")
    assert ":" not in told["source failed"].splitlines()[-1]


class Details(NamedTuple):
    """What is known of a call before it is begun."""

    method: str


class Ended(NamedTuple):
    """The context of a call whose caller waits no more, and has given up if it is not `active`."""

    active: bool

    def is_active(self) -> bool:
        return self.active

    def time_remaining(self) -> float:
        return 0.0

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise RuntimeError(code.name)


@pytest.mark.parametrize("active", [True, False], ids=["deadline passed", "given up"])
def test_work_that_nobody_waits_for_is_not_begun(live: Deployment, active: bool) -> None:
    metrics, begun = Metrics(live.clock), list[bytes]()
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: begun.append(request))
    details: Any = Details("/test.Service/Method")
    wrapped: Any = CallInterceptor(metrics, StreamLimit(1)).intercept_service(lambda details: handler, details)

    with pytest.raises(RuntimeError, match="DEADLINE_EXCEEDED"):
        wrapped.unary_unary(b"", Ended(active=active))

    assert begun == []
    counted = {"method": "Method", "code": "DEADLINE_EXCEEDED"}
    assert metrics.registry.get_sample_value("recommender_requests_total", counted) == 1
