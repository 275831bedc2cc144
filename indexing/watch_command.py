"""The command `recommender watch`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recommender.errors import Locked, RecommenderError, SchemaMismatch
from recommender.settings import load_settings

if TYPE_CHECKING:
    from indexing.watching import Watcher

RETRY_S = 5.0
"""Seconds until what failed is tried again: what was told then is not told twice."""


@click.command(short_help="Embed new and changed items within seconds and hand them to the servers.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")
@click.option("--poll", type=click.FloatRange(0.01, 60), default=0.25, show_default=True, help="Seconds between looks for changes.")
@click.option("--once", is_flag=True, help="Stop when all changes that are there have been taken over.")
def watch(data: Path | None, poll: float, once: bool) -> None:
    """Embed new and changed items as they come, and write them as delta segments, which servers take up within a second.

    Run one beside the servers of a data folder, until SIGTERM or SIGINT. It may be killed at any moment and goes on where it was. Each
    segment, and each failure, is one JSON line on standard error. While it is down, new items are shown by all but what their text says,
    and answers tell so. Where generations are published to a remote place, each machine that serves needs one of its own. Exit status: 0
    stopped or done, 1 an error, 75 another watcher is running.
    """
    # Torch's threads that spin while they wait would take the time of the servers beside them.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from indexing.watching import watching

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    told = ""
    follow_at, unfollowed = float("-inf"), [""]
    settings = load_settings(data=data)
    with watching(settings, now=datetime.now(UTC)) as watcher:
        while not stop.is_set():
            started = time.monotonic()
            try:
                if started >= follow_at:
                    follow_at = started + settings.generation_poll_s
                    _follow(watcher, unfollowed)
                written = watcher.step()
            except (Locked, SchemaMismatch):
                raise
            except RecommenderError as error:
                if once:
                    raise
                if str(error) != told:
                    _tell({"state": "failed", "why": str(error), "retry_s": RETRY_S})
                told = str(error)
                stop.wait(RETRY_S)
                continue
            told = ""
            if written is not None:
                _tell({"state": "written", **asdict(written), "seconds": round(time.monotonic() - started, 3)})
            elif once:
                return
            else:
                stop.wait(poll)


def _follow(watcher: Watcher, told: list[str]) -> None:
    """Let the watcher follow the remote generations; where it cannot, it goes on with what it has, and tells so once."""
    try:
        watcher.follow(now=datetime.now(UTC))
    except RecommenderError as error:
        if str(error) != told[0]:
            _tell({"state": "not following", "why": str(error)})
        told[0] = str(error)
    else:
        told[0] = ""


def _tell(record: dict[str, object]) -> None:
    sys.stderr.write(json.dumps(record) + "\n")
    sys.stderr.flush()
