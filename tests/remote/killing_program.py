"""Publishes a generation to a remote place, and kills itself, as by `kill -9`, right before one of its changes of what is there.

Arguments: the URL, a store, a folder for the cache, a minute that tells this generation from others, and before what it dies, "" for
nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from published import Machine

from recommender.generation import Generations
from recommender.remote.place import Place, Version, place_at
from recommender.remote.writer import RemoteWriter
from recommender.store import open_store


def main(url: str, store: str, cache: str, minute: str, dying: str) -> None:
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
        Machine(remote).publish(int(minute), popularity=float(minute), keep=1)


def of_current(name: str, content: bytes, seen: Version) -> str:
    """What a change of CURRENT is about."""
    was, will_be = json.loads(seen.content or b'{"activations": [], "removing": []}'), json.loads(content)
    if len(will_be["activations"]) > len(was["activations"]):
        return "activation"
    if len(will_be["removing"]) > len(was["removing"]):
        return "marking"
    return "clearing" if was["removing"] and not will_be["removing"] else "stamp"


if __name__ == "__main__":
    main(*sys.argv[1:])
