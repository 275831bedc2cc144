"""Places of three kinds: this machine's files, fsspec's memory, and a real server of S3's protocol; and who publishes to them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from published import Clock, Machine

from recommender.generation import Generations
from recommender.remote.generations import RemoteGenerations
from recommender.remote.place import Place, place_at
from recommender.remote.writer import RemoteWriter
from recommender.store import Store, open_store

BUCKET = "shop"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-a-real-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server of S3's protocol on this machine, a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 120
        while True:
            assert process.poll() is None, "the server ended"
            try:
                with urlopen(f"{address}/moto-api/", timeout=10):
                    break
            except (URLError, OSError):
                assert time.monotonic() < give_up, "the server does not answer"
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty folder in a bucket of that server, which the environment tells of as it does of any."""
    import boto3

    for name, value in (*CREDENTIALS.items(), ("AWS_ENDPOINT_URL", s3_server)):
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/generations-{next(NUMBERS)}"


NUMBERS = count()


@pytest.fixture(params=["file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty folder."""
    if request.param == "s3":
        found: str = request.getfixturevalue("s3")
        return found
    return f"memory://shop/generations-{next(NUMBERS)}" if request.param == "memory" else f"file://{tmp_path}/remote/generations"


@pytest.fixture
def place(url: str) -> Place:
    """That folder."""
    return place_at(url, "url")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store whose leases all machines of a test share."""
    with open_store(tmp_path / "store.sqlite", create=True) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machine(url: str, tmp_path: Path, store: Store, clock: Clock) -> Callable[[], Machine]:
    """Makes machines that share the place and the store."""
    numbers = count()

    def made() -> Machine:
        cache = Generations(tmp_path / f"machine-{next(numbers)}" / "generations")
        return Machine(RemoteWriter(place_at(url, "url"), cache, store, clock))

    return made


@pytest.fixture
def reader(url: str, tmp_path: Path) -> RemoteGenerations:
    """A machine that only reads."""
    return RemoteGenerations(place_at(url, "url"), Generations(tmp_path / "reader" / "generations"))
