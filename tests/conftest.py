"""Worlds that many tests share. Building one takes seconds, reading or copying one takes none."""

from __future__ import annotations

import os
import shutil
import signal
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


# What a shell starts in the background ignores interrupts, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (
    "tests/remote/test_publishing.py",
    "tests/end_to_end/test_from_files_to_a_changed_feed.py",
    "tests/tuning/test_tuning.py",
    "tests/indexing/test_killed_builds.py",
    "tests/engine/test_build_options.py",
    "tests/indexing/test_resuming.py",
    "tests/indexing/test_reindex.py",
    "tests/end_to_end/test_disks.py",
    "tests/bench/test_impressions.py",
    "tests/remote/test_killed_uploads.py",
    "tests/tuning/test_tune_command.py",
    "tests/remote/test_machines.py",
    "tests/end_to_end/test_faults.py",
    "tests/eval/test_evaluation.py",
    "tests/indexing/test_watching.py",
    "tests/indexing/test_twin.py",
    "tests/speed/test_bench_serve.py",
)
"""Files that take longest, the longest first. The others follow, so that no processor waits in the end for one that has just begun."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first; `--dist loadfile --no-loadscope-reorder` gives files out in this order."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG)))


@pytest.fixture(scope="module")
def learnt_here() -> Iterator[None]:
    """Sequence models are learnt in this process: to start another one takes seconds, and the same comes of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexing.learn.sequence.done_apart", lambda what, work, *given: work(*given))
        yield


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
