"""`recommender health` against real servers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from waiting import soon

from recommender.cli import umbrella
from recommender.errors import InvalidInput
from server.addresses import Address
from server.app import CATALOG, EVENT

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World


def health(*arguments: str) -> Result:
    return CliRunner().invoke(umbrella, ["health", *arguments])


def test_a_server_with_a_generation_is_healthy(live: Deployment) -> None:
    result = health("--listen", live.server.addresses.listen)

    assert (result.exit_code, result.output) == (0, "SERVING\n")


def test_a_server_without_one_is_not_until_it_gets_one_and_takes_events_all_the_same(world: World, serve: Serve) -> None:
    address = serve().server.addresses.listen

    result = health("--listen", address)
    assert (result.exit_code, result.output) == (1, "NOT_SERVING\n")
    assert health("--listen", address, "--service", EVENT).exit_code == 0

    world.publish()
    assert soon(lambda: health("--listen", address).exit_code == 0)


def test_each_listener_knows_its_own_services(live: Deployment) -> None:
    addresses = live.server.addresses

    assert health("--listen", addresses.admin_listen, "--service", CATALOG).exit_code == 0
    missing = health("--listen", addresses.listen, "--service", CATALOG)
    assert missing.exit_code == 1
    assert "NOT_FOUND" in missing.output


def test_the_address_comes_from_the_environment_and_all_addresses_mean_loopback(
    world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish()
    port = Address.parse(serve().server.addresses.listen, "listen").port
    monkeypatch.setenv("RECOMMENDER_LISTEN", f"0.0.0.0:{port}")

    assert health().exit_code == 0
    assert str(Address("::", port).to_reach()) == f"[::1]:{port}"


def test_nobody_there_and_nobody_answering_are_failures_that_name_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        late = health("--listen", address, "--timeout", "0.3")
    gone = health("--listen", address)

    assert (late.exit_code, gone.exit_code) == (1, 1)
    assert f"{address}: " in late.output
    assert f"{address}: " in gone.output
    assert "(UNAVAILABLE)" in gone.output


@pytest.mark.parametrize(("listen", "named"), [("127.0.0.1:0", "instead of 0"), ("localhost", "host:port")])
def test_an_address_that_nobody_can_be_asked_on_is_refused(listen: str, named: str) -> None:
    result = health("--listen", listen)

    assert isinstance(result.exception, InvalidInput)
    assert named in str(result.exception)
