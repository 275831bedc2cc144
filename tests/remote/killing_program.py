"""Publishes generations to a remote place in forked processes, each of which may kill itself, as by `kill -9`, right before one of its
changes of what is there.

Argument: the URL. Reads one JSON object a line from standard input: `store`, `cache` (a folder), `minute`, which tells this generation
from others, and `dying`: before what the process dies, "" for nothing. Answers with its exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import s3fs  # noqa: F401
from published import Machine

from recommender.generation import Generations
from recommender.remote.place import Place, Version, place_at
from recommender.remote.writer import RemoteWriter
from recommender.store import open_store


def main(url: str) -> None:
    for line in sys.stdin:
        # Forked, so that each is spared the seconds of importing; nothing has been opened and no thread runs yet.
        pid = os.fork()
        if not pid:
            code = 70
            try:
                publish(url, **json.loads(line))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def publish(url: str, store: str, cache: str, minute: int, dying: str) -> None:
    counts: Counter[str] = Counter()

    def before(what: str) -> None:
        counts[what] += 1
        if dying and dying in (what, f"{what} {counts[what]}"):
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(name: str, told: Callable[..., str]) -> None:
        change = getattr(Place, name)

        def changed(self: Place, *given: Any) -> Any:
            before(told(*given))
            return change(self, *given)

        setattr(Place, name, changed)

    watched("upload", lambda file, name: "upload")
    watched("write", lambda name, content: "manifest" if name.endswith("manifest.json") else "")
    watched("replace", of_current)
    watched("remove", lambda name: "removal")
    with open_store(Path(store)) as opened:
        remote = RemoteWriter(place_at(url, "url"), Generations(Path(cache)), opened, lambda: datetime.now(UTC))
        Machine(remote).publish(minute, popularity=float(minute), keep=1)


def of_current(name: str, content: bytes, seen: Version) -> str:
    """What a change of CURRENT is about."""
    was, will_be = json.loads(seen.content or b'{"activations": [], "removing": []}'), json.loads(content)
    if len(will_be["activations"]) > len(was["activations"]):
        return "activation"
    if len(will_be["removing"]) > len(was["removing"]):
        return "marking"
    return "clearing" if was["removing"] and not will_be["removing"] else "stamp"


if __name__ == "__main__":
    main(sys.argv[1])
