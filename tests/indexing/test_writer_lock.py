from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import NOW

from recommender.errors import Locked, RecommenderError
from recommender.generation import Generations
from recommender.generation.writer_lock import LOCK, is_held, writer_lock
from recommender.settings import Settings


def test_the_lock_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    with writer_lock(tmp_path, now=NOW), pytest.raises(Locked, match=f"process {os.getpid()} on "), writer_lock(tmp_path, now=NOW):
        pass
    with writer_lock(tmp_path, now=NOW):
        owner = (tmp_path / LOCK).read_text()
    assert owner.startswith("build by process ")
    assert owner.endswith(f"since {NOW.isoformat(timespec='seconds')}")


def test_the_lock_is_freed_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writer_lock(tmp_path, now=NOW):
        raise KeyError
    with writer_lock(tmp_path, now=NOW):
        pass


def test_whoever_waits_is_told_what_is_running(tmp_path: Path) -> None:
    with (
        writer_lock(tmp_path, now=NOW, what="pruning"),
        pytest.raises(Locked, match=f"another pruning is running: process {os.getpid()} on "),
        writer_lock(tmp_path, now=NOW),
    ):
        pass


def test_whether_it_is_held_can_be_seen_by_others_and_looking_keeps_no_writer_out(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with writer_lock(tmp_path, now=NOW):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_held(tmp_path)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(200):
            with writer_lock(tmp_path, now=NOW):
                pass
    finally:
        over.set()
        watcher.join()


def test_the_folder_is_made_where_it_is_missing(tmp_path: Path) -> None:
    with writer_lock(tmp_path / "a" / "b", now=NOW):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RecommenderError, match=r"cannot lock .*file/generations: Not a directory"),
        writer_lock(tmp_path / "file" / "generations", now=NOW),
    ):
        pass
    (tmp_path / "root" / LOCK).mkdir(parents=True)
    with pytest.raises(RecommenderError, match="Is a directory"), writer_lock(tmp_path / "root", now=NOW):
        pass


def test_of_two_builds_at_once_one_runs_and_the_other_says_who_does(modelless: Callable[..., Settings], warm: Any, quick: Path) -> None:
    settings = modelless()
    first = warm.start("reindex", "--data", settings.data, "--build", quick, place=0)
    first.follow("read")
    first.signal(signal.SIGSTOP)
    try:
        second = warm.start("reindex", "--data", settings.data, place=1)
        code = second.wait()
    finally:
        # A stopped process would keep whatever waits for it waiting for ever.
        first.signal(signal.SIGCONT)
    assert code == 75
    [message] = second.rest
    assert message.startswith("error: another build is running: ")
    assert f"process {first.pid} on " in message
    assert first.wait() == 0
    assert len(Generations(settings.generations_path).ids()) == 1


def test_the_lock_of_a_killed_build_is_free(modelless: Callable[..., Settings], warm: Any) -> None:
    settings = modelless()
    killed = warm.start("reindex", "--data", settings.data)
    killed.follow("read")
    killed.signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    with writer_lock(settings.generations_path, now=NOW):
        pass
