"""The Python client and `recommender feed`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import grpc
import pytest
from click.testing import CliRunner

from recommender.client import Client, ClientError, DeadlinePassed, InvalidArgument, Missing, Overloaded, Unavailable
from recommender.client.calling import TRIES
from recommender.client.failures import PUSHBACK
from recommender.events import EventType
from recommender.items import ItemKind
from server.feed_command import feed as feed_command

if TYPE_CHECKING:
    from tests.server.conftest import Deployment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_errors_carry_the_code_and_the_servers_message(live: Deployment) -> None:
    with pytest.raises(InvalidArgument, match="page_size: given 101") as caught:
        live.client.get_feed(user="ann", page_size=101)

    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(Missing, match="attic"):
        live.client.get_feed(user="ann", placement="attic")
    with Client(live.server.addresses.listen, timeout_s=1e-6) as hasty, pytest.raises(DeadlinePassed):
        # A deadline that has passed before the call began is noticed beside it, and an answer may be quicker.
        any(hasty.get_feed(user="ann").items == () for _ in range(200))
    with Client(f"127.0.0.1:{free_port()}", timeout_s=20) as lost, pytest.raises(Unavailable):
        lost.get_feed(user="ann")
    assert issubclass(Unavailable, ClientError)


def test_either_user_or_session_is_asked_for(live: Deployment) -> None:
    for who in ({}, {"user": "ann", "session": "s"}):
        with pytest.raises(ValueError, match="either user or session"):
            live.client.get_feed(**who)


def test_items_and_generations_need_the_operators_address(live: Deployment) -> None:
    with Client(live.server.addresses.listen) as front, pytest.raises(ValueError, match="admin_target"):
        front.list_generations()


def test_waiting_ends_with_a_message_when_nobody_serves() -> None:
    with Client(f"127.0.0.1:{free_port()}") as lost, pytest.raises(Unavailable, match=r"no feeds are served after 0\.3 s"):
        lost.wait_until_serving(0.3)


class Unsteady(grpc.GenericRpcHandler):
    """Answers UNAVAILABLE twice and then with an empty feed."""

    calls = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def behaviour(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls += 1
            if self.calls < 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not just now")
            # GetFeedResponse with info.basis = CONTEXTUAL.
            return b"\x1a\x02\x18\x03"

        return grpc.unary_unary_rpc_method_handler(behaviour)


def test_what_is_unavailable_for_a_moment_is_tried_again() -> None:
    handler = Unsteady()
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"127.0.0.1:{port}", timeout_s=20) as client:
            assert client.get_feed(user="ann").items == ()
    finally:
        server.stop(0).wait()
    assert handler.calls == 3


def test_an_item_of_an_answer_has_all_that_a_front_end_shows(live: Deployment) -> None:
    live.act("drama-11", EventType.WATCH, user="ann")

    item = live.client.get_feed(user="ann", page_size=1).items[0]

    assert (item.id, item.title, item.kind) == ("drama-00", "Drama 0", ItemKind.MEDIA)
    assert item.reason == "Because you watched Drama 11"
    assert item.token


def test_the_command_prints_a_feed_for_a_reader(live: Deployment) -> None:
    live.act("drama-11", session="s")
    runner, target = CliRunner(), live.server.addresses.listen

    plain = runner.invoke(feed_command, ["--session", "s", "--size", "3", "--target", target], env={"COLUMNS": "200"})
    explained = runner.invoke(feed_command, ["--session", "s", "--explain", "--target", target], env={"COLUMNS": "250"})
    filtered = runner.invoke(feed_command, ["--user", "ann", "--filter", 'kind == "article"', "--target", target], env={"COLUMNS": "200"})

    assert plain.exit_code == 0, plain.output
    assert "Drama 0" in plain.output
    assert "Because you clicked Drama 11" in plain.output
    assert "SESSION feed of placement home" in plain.output
    assert "item_item" not in plain.output
    assert "item_item" in explained.output
    assert "rank 1" in explained.output
    assert "News 0" in filtered.output
    assert "Comedy" not in filtered.output


def test_the_command_tells_what_is_wrong(live: Deployment) -> None:
    runner, target = CliRunner(), live.server.addresses.listen

    neither = runner.invoke(feed_command, [])
    bad = runner.invoke(feed_command, ["--user", "ann", "--filter", "price >", "--target", target])

    assert (neither.exit_code, "either --user or --session" in neither.output) == (2, True)
    assert (bad.exit_code, "filter: given" in bad.output, "INVALID_ARGUMENT" in bad.output) == (1, True, True)


class Busy(grpc.GenericRpcHandler):
    """Turns calls away `times` times, asking for the delay `told` where it is given, and then answers with an empty feed."""

    def __init__(self, times: int, told: str | None) -> None:
        self.times, self.told, self.calls = times, told, 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def behaviour(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls += 1
            if self.calls <= self.times:
                if self.told is not None:
                    context.set_trailing_metadata(((PUSHBACK, self.told),))
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "not just now")
            return b"\x1a\x02\x18\x03"

        return grpc.unary_unary_rpc_method_handler(behaviour)


@pytest.fixture
def asking() -> Iterator[Callable[[Busy], Client]]:
    """Starts a server of a handler and gives a client of it."""
    closing = ExitStack()

    def start(handler: Busy) -> Client:
        server = grpc.server(ThreadPoolExecutor(1))
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        closing.callback(lambda: server.stop(0).wait())
        return closing.enter_context(Client(f"127.0.0.1:{port}", timeout_s=20))

    with closing:
        yield start


def test_a_call_that_is_turned_away_is_tried_again_after_the_delay(asking: Callable[[Busy], Client]) -> None:
    busy = Busy(2, "20")
    assert asking(busy).get_feed(user="ann").items == ()
    assert busy.calls == 3


def test_tries_are_bounded(asking: Callable[[Busy], Client]) -> None:
    busy = Busy(100, "1")
    with pytest.raises(Overloaded) as caught:
        asking(busy).get_feed(user="ann")
    assert busy.calls == TRIES
    assert caught.value.retry_after_s == 0.001


def test_a_delay_longer_than_the_call_may_take_is_told_and_not_waited_for(asking: Callable[[Busy], Client]) -> None:
    busy = Busy(100, "60000")
    with pytest.raises(Overloaded, match="not just now") as caught:
        asking(busy).get_feed(user="ann")
    assert busy.calls == 1
    assert caught.value.retry_after_s == 60


@pytest.mark.parametrize("told", [None, "-1", "soon"])
def test_without_a_delay_to_go_by_nothing_is_tried_again(asking: Callable[[Busy], Client], told: str | None) -> None:
    busy = Busy(100, told)
    with pytest.raises(Overloaded) as caught:
        asking(busy).get_feed(user="ann")
    assert busy.calls == 1
    assert caught.value.retry_after_s is None
