"""Builds are killed, as by `kill -9`, at every stage and at every file operation; the active generation must serve on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sampling import stride, times
from worlds import JUDGED, NOW

from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.generation import Generations
from recommender.placements import Placement
from recommender.settings import Settings

STAGES = (
    *("read", "embed", "index vectors", "judge a twin", "learn", "index words", "export the query encoder"),
    *("list what is alike", "check", "publish"),
)
PROGRAM = Path(__file__).parent / "killing_program.py"


def whole(settings: Settings) -> str:
    """Id of the active generation, after checking that it and all others listed are whole."""
    generations = Generations(settings.generations_path)
    for generation_id in generations.ids():
        generations.verify(generation_id)
    current = generations.current_id()
    assert current in generations.ids()
    return current


def serves(settings: Settings) -> str:
    """The same, after checking that it makes full feeds, too."""
    current = whole(settings)
    [feed] = Recommender.of(Generations(settings.generations_path).load(current)).feeds([Query(Placement(name="home"), size=10)], now=NOW)
    assert len(feed.numbers) == 10
    return current


def leftovers(settings: Settings) -> set[str]:
    """What lies in the folder besides generations and the files that belong there."""
    generations = Generations(settings.generations_path)
    names = {path.name for path in settings.generations_path.iterdir()}
    return names - {*generations.ids(), "CURRENT", "ACTIVATIONS.jsonl", ".writer.lock", ".checked.json", ".build.json"}


@pytest.fixture(scope="module")
def pristine(modelless: Callable[..., Settings], warm: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """A data folder with an active generation, to be copied, and its id."""
    settings, judged = modelless(), tmp_path_factory.mktemp("settings") / "judged.toml"
    judged.write_text(JUDGED)
    code, run = warm.run("reindex", "--data", settings.data, "--build", judged)
    assert (code, run.rest) == (0, [])
    return settings, serves(settings)


@pytest.fixture
def built(pristine: tuple[Settings, str], tmp_path: Path) -> tuple[Settings, str]:
    """A data folder with an active generation, and its id."""
    settings, current = pristine
    shutil.copytree(settings.data, tmp_path / "data")
    return Settings(data=tmp_path / "data"), current


def test_a_build_killed_at_any_stage_leaves_the_active_generation_serving(built: tuple[Settings, str], warm: Any, judged: Path) -> None:
    settings, before = built
    for stage in STAGES:
        run = warm.start("reindex", "--data", settings.data, "--build", judged)
        run.follow(stage)
        run.signal(signal.SIGKILL)
        code = run.wait()
        # In the short stage of publishing, the build may have come to its end before the signal came to it.
        assert code == -signal.SIGKILL or (stage == "publish" and code == 0)
        assert stage == "publish" or serves(settings) == before
    serves(settings)
    code, run = warm.run("reindex", "--data", settings.data, "--build", judged)
    assert (code, run.rest) == (0, [])
    assert serves(settings) != before
    assert leftovers(settings) == set()


@pytest.mark.sampled
def test_a_build_killed_while_publishing_leaves_a_whole_generation(built: tuple[Settings, str], warm: Any, quick: Path) -> None:
    settings, _ = built
    rng = random.Random(5)
    for _ in range(times(4, 8)):
        run = warm.start("reindex", "--data", settings.data, "--build", quick, "--keep", 1)
        run.follow("publish")
        time.sleep(rng.uniform(0, 0.04))
        run.signal(signal.SIGKILL)
        assert run.wait() in (0, -signal.SIGKILL)
        serves(settings)
    # With the same settings: others would be judged against them, on too few people for more than chance.
    assert warm.run("reindex", "--data", settings.data, "--build", quick)[0] == 0
    serves(settings)
    assert leftovers(settings) == set()


@pytest.mark.sampled
def test_publishing_may_be_killed_before_any_single_file_operation(built: tuple[Settings, str]) -> None:
    """Each run starts from a copy of three generations, adds and activates a fourth and prunes two, and dies before one operation.

    Every fifth operation is tried, and every single one around that by which the new generation becomes active.
    """
    settings, before = built
    generations = Generations(settings.generations_path)
    manifest = json.loads((settings.generations_path / before / "manifest.json").read_text())
    for older in ("20000101T000000-00000001", "20000101T000000-00000002"):
        shutil.copytree(settings.generations_path / before, settings.generations_path / older)
        (settings.generations_path / older / "manifest.json").write_text(json.dumps({**manifest, "id": older}))
    work = settings.data / "killed"
    killed = Settings(data=work)
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), settings.generations_path, work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    old_one_is_active: dict[int, bool] = {}

    def died(step: int) -> bool:
        """Whether the run died before operation `step`, which one with fewer of them does not."""
        program.stdin.write(f"{step}\n")  # type: ignore[union-attr]
        program.stdin.flush()  # type: ignore[union-attr]
        code = int(program.stdout.readline())  # type: ignore[union-attr]
        assert code in (0, -signal.SIGKILL)
        old_one_is_active[step] = whole(killed) == before
        Generations(killed.generations_path).sweep()
        assert leftovers(killed) == set()
        return code != 0

    step = 1
    while step < 400 and died(step):
        step += stride(5)
    serves(killed)
    assert 60 < step < 400
    for between in range(max(tried for tried, old in old_one_is_active.items() if old) + 1, step):
        if between in old_one_is_active:
            break
        died(between)
    program.communicate(timeout=30)
    # The old one is active up to one step, the new one from that step on.
    outcomes = [old for _, old in sorted(old_one_is_active.items())]
    assert outcomes == sorted(outcomes, reverse=True)
    assert 40 < max(tried for tried, old in old_one_is_active.items() if old) < step - 1
    assert len(generations.ids()) == 3


def test_the_real_command_survives_a_kill_from_outside(built: tuple[Settings, str], judged: Path) -> None:
    settings, before = built
    recommender = Path(sys.executable).parent / "recommender"
    command = [recommender, "reindex", "--data", settings.data, "--build", judged]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line) == {"stage": "learn", "state": "started"}:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert serves(settings) == before
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}, check=True)
    assert serves(settings) != before
    assert leftovers(settings) == set()
    assert f"generation {Generations(settings.generations_path).current_id()}: active; 60 items, 480 events" in done.stdout
