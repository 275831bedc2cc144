"""A set measured in a process of its own, so that the memory of one does not count for the next, and noted in the log of looks."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from eval.bench.impressions import measure_impressions
from eval.bench.quality import Scope, measure
from eval.bench.result import Result
from eval.bench.sets import Benchmark
from eval.looks import note_look
from indexing.progress import Reporter, reporter
from recommender.errors import RecommenderError
from recommender.placements import Placement
from recommender.profile import BuildSettings

WATCH_S = 0.5
"""How often a process looks whether the one that started it is still there."""


@dataclass(frozen=True)
class Task:
    """What is measured by: settings, placement and scope, the folder of embeddings, the log of looks and the time that it notes."""

    settings: BuildSettings
    placement: Placement
    scope: Scope
    cache: Path
    log: Path
    now: datetime


def measured(benchmark: Benchmark, task: Task, report: Reporter) -> Result | str:
    """What a set came to, noted in the log before judging begins and after it ends; or a sentence on why it could not be judged."""

    def begin(queries: int) -> None:
        note_look(task.log, at=task.now, name=benchmark.name, settings=task.settings, placement=task.placement, people=queries)

    work = measure if benchmark.splits is not None else measure_impressions
    try:
        result = work(benchmark, task.cache, task.settings, task.placement, report, task.scope, begin)
    except RecommenderError as error:
        return f"{benchmark.name}: skipped, {error}"
    note_look(
        task.log,
        at=task.now,
        name=benchmark.name,
        settings=task.settings,
        placement=task.placement,
        people=result.queries,
        figures=result.figures,
    )
    return result


def measured_apart(benchmark: Benchmark, task: Task) -> Result | str:
    """The same in a new process, whose progress goes to standard error."""
    return in_own_process(partial(_in_child, benchmark, task), benchmark.name)


def in_own_process(work: Callable[[], Result | str], name: str) -> Result | str:
    """What `work`, which can be pickled, gives in a new process, or a sentence on the set `name` where that process was killed."""
    # Spawned, not forked: threads of numerical libraries do not survive a fork.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning, initializer=_end_with_parent, initargs=(os.getpid(),)) as pool:
        try:
            return pool.submit(work).result()
        except BrokenProcessPool:
            return f"{name}: skipped, its process was killed, as happens for want of memory"


def _end_with_parent(parent: int) -> None:
    """End this process soon after `parent`, which may be killed: nobody would read what it works out."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _in_child(benchmark: Benchmark, task: Task) -> Result | str:
    return measured(benchmark, task, reporter(sys.stderr))
