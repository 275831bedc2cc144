"""Commands that are started run by the given settings alone, and what does not start says why."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recommender.client import Client
from recommender.errors import RecommenderError
from server import launching
from server.launching import Serving, run, serving

if TYPE_CHECKING:
    from tests.server.conftest import World

FREE = "127.0.0.1:0"


def served(data: Path, *further: str) -> AbstractContextManager[Serving]:
    data.mkdir(exist_ok=True)
    return serving(data, *further, listen=FREE, admin_listen=FREE, metrics_listen=FREE, log=data / "log")


def test_a_started_command_is_deaf_to_the_settings_of_another_deployment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish()
    monkeypatch.setenv("RECOMMENDER_THREADS", "none at all")

    run("generations", "list", "--data", str(world.data))
    with served(world.data) as server, Client(server.addresses["listen"]) as client:
        client.wait_until_serving()


def test_a_server_is_a_group_of_its_own_and_no_fork_of_this_process(world: World) -> None:
    world.publish()
    forks: list[int] = []
    os.register_at_fork(after_in_parent=lambda: forks.append(1))

    with served(world.data) as server:
        assert os.getpgid(server.pid) == server.pid != os.getpgrp()

    assert not forks


def test_a_server_that_ends_tells_its_status_and_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(RecommenderError, match=r"(?s)did not start: it ended with status 2; .*--no-such-option"),
        served(tmp_path, "--no-such-option"),
    ):
        pass


def test_a_server_that_takes_too_long_tells_for_how_long_it_was_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "START_TIMEOUT_S", 0.0)

    with pytest.raises(RecommenderError, match="did not start: it was given 0 seconds"), served(tmp_path):
        pass
