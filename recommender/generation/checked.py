"""Which generations' files have been compared with their manifests, so that a start and a change need not do it again.

A file that has been checked and not been touched since is sound: what the system says of it (size, times, place on the disk) is
remembered with the generation's id. Losing the note costs nothing but another check.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NOTE = ".checked.json"


def note_checked(root: Path, generation_id: str, files: Iterable[Path], kept: Iterable[str]) -> None:
    """Remember below `root` that `files` of a generation were found sound, and forget all but it and the `kept` ones."""
    still = set(kept)
    noted = {name: states for name, states in _noted(root).items() if name in still}
    # Whoever may not write there checks every time.
    with suppress(OSError):
        noted[generation_id] = _states(files)
        unfinished = root / f"{NOTE}.{os.getpid()}"
        unfinished.write_text(json.dumps(noted), encoding="utf-8")
        unfinished.replace(root / NOTE)


def was_checked(root: Path, generation_id: str, files: Iterable[Path]) -> bool:
    """Whether `files` of a generation are as they were when they were found sound, on this machine."""
    try:
        return _noted(root).get(generation_id) == _states(files)
    except OSError:
        return False


def _noted(root: Path) -> dict[str, object]:
    try:
        noted = json.loads((root / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _states(files: Iterable[Path]) -> dict[str, list[int | str]]:
    """What the system says of each file. Raises OSError where one is missing.

    Nobody can set the time of a file's last change of state (ctime) to what it was.
    """
    states: dict[str, list[int | str]] = {}
    for path in files:
        stat = path.stat()
        states[path.name] = [os.uname().nodename, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    return states
