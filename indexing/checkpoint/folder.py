"""The folder of a build that is under way: what each of its stages made, there whole or not at all.

::

    generations/.building/
        begun.json          what the build began with
        <stage>/            what one stage made, and files.json with the checksums of it

There is one at the most, and none when a build has ended. Only the holder of the writer's lock may touch it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from indexing.checkpoint.begun import Begun
from indexing.checkpoint.forms import NAME, Form
from recommender.durable_files import FileEntry, difference, sync, write_durably
from recommender.generation.folder import REMOVED
from recommender.generation.leftovers import BUILDING

BEGUN, FILES, UNFINISHED = "begun.json", "files.json", ".new"
ADDED = "added"
"""Under this name stands the id of the generation that a build has added."""
NOTHING_KILLED = "there is no killed build to go on with; beginning anew"

Made = TypeVar("Made")
Tell = Callable[[str], None]


class Checkpoint:
    """What a build has made so far. `Checkpoint.opened` makes one; `begun` says what the build began with, `resumed` whether that was a
    killed one."""

    def __init__(self, folder: Path, begun: Begun, tell: Tell, *, resumed: bool = False) -> None:
        self._folder = folder
        self._tell = tell
        self._keeping = True
        self.begun = begun
        self.resumed = resumed

    @classmethod
    def opened(cls, root: Path, now: Begun, *, resume: bool, tell: Tell) -> Checkpoint:
        """The checkpoint of a build below `root`: with `resume` that of a killed one where there is one that fits, else a new one.

        What a killed one left is thrown away otherwise. What is done is told.
        """
        folder = root / BUILDING
        left = sorted(path.name for path in folder.iterdir() if path.name not in (BEGUN, UNFINISHED)) if folder.is_dir() else []
        if resume:
            before, why_not = _fitting(folder, now)
            if before is not None:
                tell(f"going on with the build of {before.at.isoformat(timespec='seconds')}; finished: {', '.join(left) or 'no stage'}")
                shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
                return cls(folder, before, tell, resumed=True)
            tell(f"cannot go on with a killed build: {why_not}; beginning anew" if why_not else NOTHING_KILLED)
        elif folder.exists():
            tell(f"what a killed build left is thrown away ({', '.join(left) or 'no finished stage'}); --resume would have gone on with it")
        made = cls(folder, now, tell)
        made.remove()
        try:
            folder.mkdir()
            write_durably(folder / BEGUN, now.model_dump_json())
        except OSError as error:
            made._give_up("what the build began with", error)
        return made

    def get(self, stage: str, form: Form[Made]) -> Made | None:
        """What `stage` made; None where it has not finished, or where its files are damaged."""
        folder = self._folder / stage
        if not folder.is_dir():
            return None
        try:
            entries = json.loads((folder / FILES).read_text(encoding="utf-8"))
            for name, entry in entries.items():
                why = difference(folder / name, FileEntry.model_validate(entry))
                if why:
                    raise ValueError(f"{name} {why}")
            return form.read(folder)
        except (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError) as error:
            self._tell(f"what {stage!r} left cannot be read ({error}); the stage is done again")
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def keep(self, stage: str, form: Form[Made], made: Made) -> None:
        """Keep what `stage` made. Where the disk does not take it, the build goes on and no kill is provided for any more."""
        if not self._keeping:
            return
        unfinished = self._folder / UNFINISHED
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            form.write(made, unfinished)
            entries = {path.name: FileEntry.of(path).model_dump() for path in sorted(unfinished.iterdir())}
            write_durably(unfinished / FILES, json.dumps(entries))
            unfinished.rename(self._folder / stage)
            sync(self._folder)
        except (OSError, RuntimeError) as error:
            # So FAISS tells that it could not write.
            self._give_up(f"what {stage!r} made", error)

    def drop(self, stage: str) -> None:
        """Forget what a stage made that no other stage needs any more."""
        shutil.rmtree(self._folder / stage, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything; a kill leaves no half of it."""
        if self._folder.exists():
            away = self._folder.with_name(f"{REMOVED}{BUILDING.removeprefix('.')}")
            shutil.rmtree(away, ignore_errors=True)
            self._folder.rename(away)
            shutil.rmtree(away)

    def _give_up(self, what: str, error: Exception) -> None:
        self._keeping = False
        why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        self._tell(f"cannot keep {what}: {why[0]}; the build goes on, and would begin anew after a kill")
        # The space is needed for what is published.
        shutil.rmtree(self._folder, ignore_errors=True)


def files_taken_in(root: Path) -> str:
    """The identity of the files that a killed build below `root` took into the store before it read that; "" where there is none."""
    try:
        return Begun.model_validate_json((root / BUILDING / BEGUN).read_text(encoding="utf-8")).files
    except (OSError, ValidationError, UnicodeDecodeError):
        return ""


def _fitting(folder: Path, now: Begun) -> tuple[Begun | None, str]:
    """What the build of `folder` began with, where a build that would begin as `now` can go on with it, or else why it cannot, "" where
    there is none."""
    if not folder.is_dir():
        return None, ""
    try:
        before = Begun.model_validate_json((folder / BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None, f"{BEGUN} cannot be read, or another release wrote it"
    try:
        published = NAME.read(folder / ADDED)
    except (OSError, ValueError):
        published = None
    why = before.why_not(now, published=published)
    return (None, why) if why else (before, "")
