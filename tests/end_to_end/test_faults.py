"""Server, watcher and reindexer are killed at random points under load: nothing that was acknowledged is lost or counted twice.

`make soak` does it for long; FAULTS says how many kills on each kind of store, FAULTS_SEED where they begin.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import MANY, NAMES, run
from ports import free_ports
from worlds import FILMS, build_world, film_id


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_killed_at_random_points_a_deployment_loses_nothing_and_serves_on(
    backend: str, model: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres").new() if backend == "postgres" else ""
    world = build_world(tmp_path, model=model, url=url)
    kills, seed = int(os.environ.get("FAULTS", "5")), int(os.environ.get("FAULTS_SEED", "1"))

    found = run(world.data, model, tuple(map(film_id, range(FILMS))), free_ports(3), kills=kills, seed=seed, url=url)  # type: ignore[arg-type]

    print(found)
    assert found.lost == []
    assert found.doubled == 0
    assert found.unloadable == []
    assert found.missing_items == []
    assert found.shown_though_hidden == 0
    assert found.surprises == []
    assert sum(found.kills.values()) == kills
    assert set(found.kills) == set(NAMES)
    assert found.acknowledged > 0
    assert found.feeds > 0
    if kills >= MANY:
        # Builds were published in between, and killed while they were.
        assert found.generations > 1
    # Killed, stopped in order, or published; never a failure of their own.
    assert found.exits["server"] <= {-9}
    assert found.exits["watcher"] <= {-9}
    assert found.exits["reindexer"] <= {-9, 0}
