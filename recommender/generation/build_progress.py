"""How far a build is, in one small file that it replaces as it goes on, for whoever wants to watch it from another process."""

from __future__ import annotations

import os
from datetime import datetime
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from recommender.generation.writer_lock import is_held

PROGRESS = ".build.json"


class BuildState(Enum):
    """What became of a build so far. DIED: its process has gone without a word."""

    RUNNING = "running"
    PUBLISHED = "published"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    DIED = "died"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self is not BuildState.RUNNING


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StageTook(_Record):
    """A finished stage and the seconds that it took; `resumed` where it was taken over from a killed build."""

    name: str
    seconds: float
    resumed: bool = False


class BuildProgress(_Record):
    """One look at a build.

    `build`: its own name, after when and by whom it was started. `sequence`: looks so far, 1 for the first. `stage`: the one that is
    under way, "" before the first and after the last; of it `done` of `total`, 0 where that is not known. `generation`: id of what was
    built, "" until then. `message`: what an end says beside its state.
    """

    build: str
    sequence: int
    state: BuildState
    owner: str
    started_at: datetime
    updated_at: datetime
    stage: str = ""
    done: int = 0
    total: int = 0
    finished: tuple[StageTook, ...] = ()
    generation: str = ""
    message: str = ""


def write_progress(root: Path, progress: BuildProgress) -> None:
    """Replace the file below `root` in one step. Raises OSError; a power cut may lose it."""
    temporary = root / f"{PROGRESS}.{os.getpid()}"
    temporary.write_text(progress.model_dump_json(), encoding="utf-8")
    temporary.replace(root / PROGRESS)


def read_progress(root: Path) -> BuildProgress | None:
    """The newest look at the newest build below `root`; None where there was none, or another release wrote of it.

    A build that is said to run while nobody holds the writer's lock has died.
    """
    progress = _read(root)
    if progress is None or progress.state.ended or is_held(root):
        return progress
    # It may have come to its end, and let go of the lock, after it was read of.
    progress = _read(root)
    if progress is None or progress.state.ended:
        return progress
    return progress.model_copy(update={"state": BuildState.DIED, "message": f"{progress.owner} has gone; --resume goes on with its build"})


def _read(root: Path) -> BuildProgress | None:
    try:
        return BuildProgress.model_validate_json((root / PROGRESS).read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, ValidationError):
        return None
