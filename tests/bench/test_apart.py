"""Each set is measured in a process of its own, so that the memory of one does not count for the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import HOME, NOW, two_tastes
from waiting import soon

from eval.bench.apart import Task, in_own_process, measured_apart
from eval.bench.discovery import discover
from eval.bench.memory import Together, forget_peak, peak_mb
from eval.bench.quality import Scope
from eval.bench.result import Result
from recommender.profile import BuildSettings

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process's peak by itself")


@linux
def test_what_was_used_before_does_not_count_for_what_comes_after() -> None:
    big = np.ones(2**25)
    with_it = peak_mb()
    size, big = big.nbytes / 2**20, np.zeros(1)
    assert big.size
    if not forget_peak():
        pytest.skip("this system does not let a process forget its peak")
    assert peak_mb() < with_it - 0.9 * size


@linux
def test_memory_of_processes_that_were_started_counts_beside_that_of_this_one() -> None:
    size = 200
    program = f"held = bytearray(b'1') * ({size} * 2**20); print('held', flush=True); input()"
    with (
        Together() as together,
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert soon(lambda: together.most_mb > size + 10)
        process.communicate(b"\n")


@linux
def test_a_set_is_measured_without_what_this_process_holds(tmp_path: Path) -> None:
    two_tastes(tmp_path / "gowalla")
    held = np.ones(2**27)
    task = Task(BuildSettings(), HOME, Scope(20), tmp_path / "cache", tmp_path / "looks.jsonl", NOW)
    [benchmark] = discover(tmp_path).benchmarks
    result = measured_apart(benchmark, task)
    assert isinstance(result, Result)
    assert 10 < result.costs.fit_mb <= result.costs.whole_mb < held.nbytes / 2**20
    assert result.costs.wall_s > 0
    states = [json.loads(line)["state"] for line in (tmp_path / "looks.jsonl").read_text().splitlines()]
    assert states == ["started", "judged"]


def test_a_process_that_is_killed_is_told_of_in_a_sentence() -> None:
    outcome = in_own_process(partial(os._exit, 1), "gowalla")
    assert outcome == "gowalla: skipped, its process was killed, as happens for want of memory"


STARTER = """
import os, sys, time
from functools import partial
from pathlib import Path
from eval.bench.apart import in_own_process

def work(told):
    Path(told).write_text(str(os.getpid()))
    time.sleep(120)

if __name__ == "__main__":
    in_own_process(partial(work, sys.argv[1]), "gowalla")
"""


def test_a_process_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    program, told = tmp_path / "starter.py", tmp_path / "pid"
    program.write_text(STARTER)
    starter = subprocess.Popen([sys.executable, str(program), str(told)], stderr=subprocess.DEVNULL)
    assert soon(lambda: told.exists() and told.read_text() != "")
    starter.kill()
    starter.wait()
    worker = int(told.read_text())
    assert soon(lambda: not Path(f"/proc/{worker}").exists())
