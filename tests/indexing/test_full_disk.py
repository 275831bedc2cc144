"""A disk that takes no more: a limit on the size of files stands for it, since the kernel refuses writes in the same way.

The limit is set in processes of their own only: it would hold for the file that pytest writes its progress to as well.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import NOW, QUICKLY

from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.generation import Generations
from recommender.placements import Placement
from recommender.settings import Settings

PROGRAM = Path(__file__).parent / "caching_program.py"
STORE_NEEDS = 40_000
"""Reading the store makes a shared-memory file of 32 KiB."""


@pytest.mark.parametrize(("dimension", "factors"), [(1024, 8), (16, 512)], ids=["vectors", "factors"])
def test_a_build_that_cannot_be_written_says_so_and_leaves_the_old_one_serving(
    modelless: Callable[..., Settings], warm: Any, tmp_path: Path, dimension: int, factors: int
) -> None:
    settings = modelless(dimension=dimension)
    build = tmp_path / "build.toml"
    build.write_text(f"{QUICKLY}collaborative = {{ factors = {factors} }}\n")
    arguments = ("reindex", "--data", settings.data, "--build", build)
    assert warm.run(*arguments)[0] == 0
    generations = Generations(settings.generations_path)
    before = generations.current_id()
    assert before is not None

    code, run = warm.run(*arguments, file_limit=STORE_NEEDS)
    assert code == 1
    assert run.lines[-1] == {"stage": "publish", "state": "started"}
    told = [line["message"] for line in run.lines if line["state"] == "told"]
    assert len(told) == 1, "the build goes on where checkpoints do not fit on the disk"
    assert told[0].endswith("; the build goes on, and would begin anew after a kill")
    [message] = run.rest
    assert message.startswith(f"error: cannot write a generation below {settings.generations_path}: ")
    assert message.endswith("; the active generation is as it was\n")

    assert generations.ids() == [before]
    assert generations.current_id() == before
    assert {path.name for path in settings.generations_path.glob(".*")} == {".writer.lock", ".checked.json", ".build.json"}
    [feed] = Recommender.of(generations.load(before)).feeds([Query(Placement(name="home"), size=10)], now=NOW)
    assert len(feed.numbers) == 10
    assert warm.run(*arguments)[0] == 0


def test_an_embedding_cache_that_cannot_grow_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(tmp_path), str(STORE_NEEDS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    message, *known = done.stdout.splitlines()
    assert re.match(rf"cannot use the embedding cache {tmp_path}/embeddings\.sqlite: .*; it may be deleted at any time", message)
    assert known == ["first"]
