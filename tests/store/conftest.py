"""A real store with a few items in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from recommender.events import Subject
from recommender.items import Item, ItemKind
from recommender.store import Decision, Store, open_store

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where the test's store is, or is to be."""
    return tmp_path / "store.sqlite"


@pytest.fixture(scope="session")
def made_empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed, empty store to be copied, since making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    open_store(path, create=True).close()
    return path


@pytest.fixture(scope="session")
def made_full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store of 600 items to be copied."""
    path = tmp_path_factory.mktemp("full") / "store.sqlite"
    with open_store(path, create=True) as opened:
        opened.upsert_items([Item(f"i{number}", ItemKind.PRODUCT, title=f"item {number}") for number in range(1, 601)], now=NOW)
    return path


@pytest.fixture
def store(made_empty: Path, store_path: Path) -> Iterator[Store]:
    """An empty store."""
    copy(made_empty, store_path)
    with open_store(store_path) as opened:
        yield opened


@pytest.fixture
def shop(made_full: Path, store_path: Path) -> Iterator[Store]:
    """A store with the items i1 … i600, whose numbers are 1 … 600."""
    copy(made_full, store_path)
    with open_store(store_path) as opened:
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
