"""Worlds that many tests share. Building one takes seconds, reading or copying one takes none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from postgres_cluster import Cluster, Unavailable
from worlds import World, build_world, tiny_model

# The first call of a compiled loop compiles it, and no test is about time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny sentence-transformers model."""
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, model: Path) -> World:
    """The world of two tastes, for reading only: a test that changes anything takes `fresh_world`."""
    return build_world(tmp_path_factory.mktemp("world"), model=model)


@pytest.fixture
def fresh_world(tmp_path_factory: pytest.TempPathFactory, world: World) -> Callable[[], World]:
    """Makes copies of `world`, each with a data folder of its own, to be changed at will."""

    def copied() -> World:
        data = tmp_path_factory.mktemp("copy") / "data"
        shutil.copytree(world.data, data)
        return replace(world, settings=world.settings.model_copy(update={"data": data}))

    return copied


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server. Where none can be started the test is skipped, and fails on CI or with RECOMMENDER_TEST_POSTGRES=required."""
    with tempfile.TemporaryDirectory(prefix="recommender-postgres-") as folder:
        try:
            cluster = Cluster(Path(folder))
        except Unavailable as why:
            if "CI" in os.environ or os.environ.get("RECOMMENDER_TEST_POSTGRES") == "required":
                raise
            pytest.skip(f"no PostgreSQL server can be started here: {why}")
        try:
            yield cluster
        finally:
            cluster.stop()
