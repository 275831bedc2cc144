"""A server whose generations are published to a remote place, by a machine that has a folder of its own."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from waiting import soon

from recommender.client import Missing, Unavailable
from recommender.remote.place import place_at
from recommender.remote.writer import RemoteWriter
from recommender.store import Store

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NUMBERS = count()


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty folder."""
    return f"file://{tmp_path}/remote" if request.param == "file" else f"memory://server/{next(NUMBERS)}"


@pytest.fixture
def store(world: World) -> Iterator[Store]:
    """The store of the servers, in which publishers hold their leases."""
    with world.open() as opened:
        yield opened


@pytest.fixture
def publish(world: World, store: Store, url: str, tmp_path: Path) -> Callable[..., str]:
    """Publishes a generation from another machine, of which a file may be lost on the way; its id."""
    shutil.copytree(world.data, tmp_path / "publisher")
    other = type(world)(tmp_path / "publisher")
    remote = RemoteWriter(place_at(url, "url"), other.generations, store, lambda: datetime.now(UTC))

    def published(*, without: str = "", **given: object) -> str:
        with remote.writing("build") as writing:
            generation_id = other.publish(activate=False, **given)  # type: ignore[arg-type]
            writing.upload(generation_id)
            if without:
                remote.place.remove(f"{generation_id}/{without}")
            writing.activate(generation_id, now=NOW, reason="tested")
        return generation_id

    return published


def metric(live: Deployment, name: str) -> float:
    with urlopen(f"http://{live.server.addresses.metrics_listen}/metrics", timeout=20) as page:
        [value] = [text.rsplit(" ", 1)[1] for text in page.read().decode().splitlines() if text.startswith(name + " ")]
        return float(value)


def serving(live: Deployment) -> str:
    return live.client.get_feed(user="ann").generation_id


def test_a_server_takes_up_what_is_published_elsewhere(
    serve: Serve, publish: Callable[..., str], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "recommender.server")
    live = serve(generations=url)
    with pytest.raises(Unavailable, match="no generation is active"):
        serving(live)

    first = publish()
    live.client.wait_until_serving(60)
    assert serving(live) == first
    downloaded = metric(live, "recommender_remote_fetched_bytes_total")
    second = publish(unlearnt=["comedy-00"])

    assert soon(lambda: serving(live) == second)
    size = live.world.generations.manifest(second).size_bytes
    assert 0 < metric(live, "recommender_remote_fetched_bytes_total") - downloaded < size
    assert metric(live, "recommender_remote_reachable") == 1
    fetched = [record for record in caplog.records if record.getMessage() == "generation fetched"]
    assert [vars(record)["generation_id"] for record in fetched] == [first, second]
    assert vars(fetched[1])["downloaded"] + vars(fetched[1])["shared"] == size


def test_a_server_that_cannot_reach_the_place_serves_what_its_cache_holds_and_says_so(
    serve: Serve, publish: Callable[..., str], world: World, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "recommender.server")
    first = publish()
    before = serve(generations=url)
    before.client.wait_until_serving(60)
    before.server.stop()
    place = place_at(url, "url")
    current = place.read("CURRENT")
    assert current is not None
    # Whatever the reason is: what is read there cannot be understood.
    place.write("CURRENT", b"a proxy's page of errors")

    again = serve(generations=url)

    assert serving(again) == first
    assert soon(lambda: metric(again, "recommender_remote_reachable") == 0)
    [told] = [record for record in caplog.records if "out of reach" in record.getMessage()]
    assert (told.levelno, vars(told)["cached"], vars(told)["place"]) == (logging.ERROR, first, url)
    place.write("CURRENT", current)
    assert soon(lambda: metric(again, "recommender_remote_reachable") == 1)
    assert "remote generations are within reach" in caplog.messages
    second = publish(unlearnt=["comedy-00"])
    assert soon(lambda: serving(again) == second)


def test_a_damaged_remote_file_is_refused_by_name_and_the_old_generation_serves_on(
    serve: Serve, publish: Callable[..., str], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = serve(generations=url)
    first = publish()
    live.client.wait_until_serving(60)

    bad = publish(unlearnt=["comedy-00"], without="factors.npy")

    assert soon(lambda: metric(live, "recommender_generation_refusals_total") == 1)
    assert serving(live) == first
    [refused] = [record for record in caplog.records if record.getMessage() == "generation refused"]
    assert f"{bad} is refused: factors.npy: is missing" in vars(refused)["why"]


def test_operators_act_on_the_place_through_any_server(serve: Serve, publish: Callable[..., str], url: str) -> None:
    first, second = publish(), publish(unlearnt=["comedy-00"])
    one = serve(generations=url)
    one.client.wait_until_serving(60)
    assert serving(one) == second

    listed = one.client.list_generations()
    assert [(each.id, each.active) for each in listed] == [(second, True), (first, False)]
    assert one.client.rollback_generation(reason="worse").previous_id == second
    assert serving(one) == first
    assert one.client.verify_generation(second).files > 10
    diff = one.client.diff_generations(first, second)
    assert (diff.before.id, diff.after.id) == (first, second)
    assert one.client.activate_generation(second).previous_id == first
    assert serving(one) == second
    third = publish(unlearnt=["drama-00"])
    assert one.client.prune_generations(1, dry_run=True) == [first]
    assert one.client.prune_generations(1) == [first]
    with pytest.raises(Missing, match=f"{third}, {second}"):
        one.client.activate_generation(first)
    assert soon(lambda: serving(one) == third)


PROGRAM = """
import sys
from recommender.settings import Settings
from server.app import Server

free = {name: "127.0.0.1:0" for name in ("listen", "admin_listen", "metrics_listen")}
with Server.start(Settings(data=sys.argv[1], **free)) as server:
    server.wait_for_filters()
    print(sorted(name for name in sys.modules if name.startswith(("fsspec", "s3fs", "gcsfs", "botocore", "recommender.remote", "aiohttp"))))
"""


def test_a_server_without_a_remote_place_imports_nothing_of_one(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "[]\n"
