"""Real stores with a few items in them, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from postgres_cluster import Cluster
from stored import Place

from recommender.events import Subject
from recommender.items import Item, ItemKind
from recommender.store import Decision, Store, open_store

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    """What the test's store lies in: every test of the store runs on both, unless it is about one of them."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def closed_stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Cluster | None], Place]:
    """Closed stores to be copied, "empty" or "full" of 600 items, since making one takes longer than most tests."""

    @cache
    def made(held: str, cluster: Cluster | None) -> Place:
        place: Place = tmp_path_factory.mktemp(held) / "store.sqlite" if cluster is None else cluster.new()
        with open_store(place, create=True) as opened:
            if held == "full":
                opened.upsert_items([Item(f"i{number}", ItemKind.PRODUCT, title=f"item {number}") for number in range(1, 601)], now=NOW)
        return place

    return made


@pytest.fixture
def place(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, closed_stores: Callable[[str, Cluster | None], Place]
) -> Iterator[Place]:
    """Where the test's store is, or is to be in a test that takes neither `store` nor `shop`."""
    held = "full" if "shop" in request.fixturenames else "empty" if "store" in request.fixturenames else ""
    if backend == "sqlite":
        path = tmp_path / "store.sqlite"
        if held:
            copy(closed_stores(held, None), path)
        yield path
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.new(str(closed_stores(held, cluster))) if held else cluster.new()
    yield url
    cluster.drop(url)


@pytest.fixture
def copied(
    place: Place, tmp_path: Path, request: pytest.FixtureRequest, closed_stores: Callable[[str, Cluster | None], Place]
) -> Iterator[Callable[[], Place]]:
    """Makes another store that holds what `shop` held in the beginning."""
    made: list[Place] = []
    cluster: Cluster | None = None if isinstance(place, Path) else request.getfixturevalue("postgres")

    def another() -> Place:
        full = closed_stores("full", cluster)
        made.append(copy(full, tmp_path / f"copy{len(made)}.sqlite") if cluster is None else cluster.new(str(full)))
        return made[-1]

    yield another
    for each in made:
        if cluster is not None:
            cluster.drop(str(each))


@pytest.fixture
def store_path(place: Place) -> Path:
    """The file of the test's store, for tests of SQLite alone."""
    assert isinstance(place, Path), "a test that takes store_path is marked SQLITE_ONLY"
    return place


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """An empty store."""
    with open_store(place) as opened:
        yield opened


@pytest.fixture
def shop(place: Place) -> Iterator[Store]:
    """A store with the items i1 … i600, whose numbers are 1 … 600."""
    with open_store(place) as opened:
        yield opened


@pytest.fixture
def decision(now: datetime) -> Decision:
    """The served record of one answer for the user ann."""
    return Decision(
        id=bytes(range(16)),
        at=now,
        subject=Subject.user("ann"),
        placement="home",
        placement_version="0123456789ab",
        generation_id="20260314T030000Z-1",
        profile="p",
        basis=1,
        seed=2**64 - 1,
        change=17,
        query=b"\x00query\xff",
        numbers=np.array([1, 4_294_967_295, 7], dtype=np.uint32),
        sources=np.array([1, 5, 2], dtype=np.uint8),
        probabilities=np.array([1.0, 0.5, 0.25], dtype=np.float32),
    )
