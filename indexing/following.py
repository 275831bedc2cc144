"""A build as others may follow it: what its reporter is told also goes into the progress file, and how long stages took is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from indexing.progress import Reporter, Stage
from recommender.generation.build_progress import BuildProgress, BuildState, StageTook, write_progress
from recommender.generation.writer_lock import this_process

PAUSE_S = 0.3
"""Seconds between two looks that differ by no more than how much is done."""


class Followed:
    """A reporter that hands on what it is told to `shown`. `now`: when the build was started, which holds the writer's lock of `root`."""

    def __init__(self, root: Path, shown: Reporter, *, now: datetime) -> None:
        self._root = root
        self._shown = shown
        self._began, self._started_at = time.monotonic(), now
        self._lock = threading.Lock()
        self._written = float("-inf")
        self._unwritable = False
        self._resumed = False
        owner = this_process()
        self._progress = BuildProgress(
            build=f"{now:%Y%m%dT%H%M%S}-{owner.split()[1]}",
            sequence=0,
            state=BuildState.RUNNING,
            owner=owner,
            started_at=now,
            updated_at=now,
        )
        self._write()

    @property
    def stages(self) -> tuple[StageTook, ...]:
        """The stages that have finished."""
        return self._progress.finished

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """See `Reporter`."""
        began = time.monotonic()
        self._resumed = False
        self._write(stage=name, done=0, total=0)
        with self._shown.stage(name) as shown:

            def advance(done: int, total: int | None = None) -> None:
                shown(done, total)
                if time.monotonic() - self._written >= PAUSE_S:
                    self._write(done=done, total=total or 0)

            yield advance
        took = StageTook(name=name, seconds=round(time.monotonic() - began, 3), resumed=self._resumed)
        self._write(stage="", done=0, total=0, finished=(*self._progress.finished, took))

    def part(self, name: str) -> AbstractContextManager[object]:
        """See `Reporter`."""
        return self._shown.part(name)

    def tell(self, message: str) -> None:
        """See `Reporter`."""
        self._shown.tell(message)

    def resumed(self) -> None:
        """Note that the stage which is under way was taken over from a killed build."""
        self._resumed = True

    def ended(self, state: BuildState, *, generation: str = "", message: str = "") -> None:
        """Tell the end; nothing may come after it."""
        self._write(state=state, stage="", done=0, total=0, generation=generation, message=message)

    def _write(self, **changed: object) -> None:
        with self._lock:
            at = time.monotonic()
            updated_at = self._started_at + timedelta(seconds=at - self._began)
            sequence = self._progress.sequence + 1
            self._progress = self._progress.model_copy(update={**changed, "sequence": sequence, "updated_at": updated_at})
            self._written = at
            try:
                write_progress(self._root, self._progress)
            except OSError as error:
                # A full disk keeps nobody from watching the terminal, and must not end a night.
                if not self._unwritable:
                    self._shown.tell(f"the build cannot be followed from elsewhere: {error}")
                self._unwritable = True
