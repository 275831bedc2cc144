"""Work in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from indexing.apart import done_apart
from recommender.errors import InvalidInput, RecommenderError

WAIT_S = 60


def doubled(array: np.ndarray) -> tuple[int, np.ndarray]:
    print("what is printed is no part of what is made")
    return os.getpid(), 2 * array


def refusing(given: str) -> None:
    raise InvalidInput("given", given, "something else")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def noting(note: str) -> None:
    path = Path(note)
    path.with_suffix(".new").write_text(str(os.getpid()), encoding="ascii")
    path.with_suffix(".new").rename(path)
    time.sleep(10 * WAIT_S)


def asking(note: str) -> None:
    done_apart("waiting", noting, note)


def test_work_is_done_in_another_process() -> None:
    process, made = done_apart("doubling", doubled, np.arange(300_000))

    assert process != os.getpid()
    np.testing.assert_array_equal(made, 2 * np.arange(300_000))


def test_what_lies_in_the_working_folder_is_not_taken_for_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit(7)\n", encoding="ascii")
    monkeypatch.chdir(tmp_path)

    assert done_apart("doubling", doubled, np.arange(3))[1].tolist() == [0, 2, 4]


def test_what_fails_there_fails_here() -> None:
    with pytest.raises(RecommenderError, match=r"the process of refusing failed: InvalidInput: .*this"):
        done_apart("refusing", refusing, "this")


def test_a_process_that_ends_early_is_told_of() -> None:
    with pytest.raises(RecommenderError, match="the process of being killed ended early, with code -9"):
        done_apart("being killed", killed)


def test_it_ends_when_the_one_that_asked_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    program = f"from test_apart import asking; asking({str(note)!r})"
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    ) as asked:
        wait_until(note.exists)
        asked.kill()
    worker = int(note.read_text(encoding="ascii"))

    wait_until(lambda: not is_running(worker))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(reached: object) -> None:
    until = time.monotonic() + WAIT_S
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)
