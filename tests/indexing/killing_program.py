"""Publishes a generation again and again in forked processes, each of which kills itself before its n-th file operation.

Arguments: a folder of generations, and a folder for copies of it. For every number n on standard input: copies the folder,
publishes the contents of the active generation anew as a later one, pruning all but one, and prints the exit code, negative
for a signal; 0 when there are fewer than n operations.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from recommender.generation import Contents, FileEntry, Generations, Manifest

WATCHED = {"open", "os.rename", "os.mkdir"}
REMOVING = {"os.remove", "os.rmdir"}
"""Removing a tree names its files relative to their folder."""
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def main(original: Path, work: Path) -> None:
    generations = Generations(original)
    current = generations.current_id()
    assert current is not None
    loaded = generations.load(current)
    for line in sys.stdin:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(original, work / "generations")
        pid = os.fork()
        if not pid:
            try:
                die_before(int(line), work)
                publish(Generations(work / "generations"), loaded.contents, loaded.manifest)
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 70)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def die_before(step: int, work: Path) -> None:
    """Kill this process before its file operation number `step`, counted from 1, below `work`."""
    left = step

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in REMOVING or (event in WATCHED and str(arguments[0]).startswith(str(work))):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def publish(generations: Generations, contents: Contents, manifest: Manifest) -> None:
    def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
        return manifest.model_copy(update={"id": generation_id, "created_at": LATER, "files": files})

    added = generations.add(contents, describe, now=LATER)
    generations.activate(added.id, now=LATER)
    generations.prune(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
