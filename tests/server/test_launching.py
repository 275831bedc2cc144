"""Commands that are started run by the given settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recommender.client import Client
from server.launching import run, serving

if TYPE_CHECKING:
    from tests.server.conftest import World


def test_a_started_command_is_deaf_to_the_settings_of_another_deployment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish()
    monkeypatch.setenv("RECOMMENDER_THREADS", "none at all")
    free = "127.0.0.1:0"

    run("generations", "list", "--data", str(world.data))
    with (
        serving(world.data, listen=free, admin_listen=free, metrics_listen=free, log=world.data / "log") as server,
        Client(server.addresses["listen"]) as client,
    ):
        client.wait_until_serving()
