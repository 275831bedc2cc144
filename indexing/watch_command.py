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

import click

from recommender.errors import Locked, RecommenderError, SchemaMismatch
from recommender.settings import load_settings

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
    and answers tell so. Exit status: 0 stopped or done, 1 an error, 75 another watcher is running.
    """
    # Torch's threads that spin while they wait would take the time of the servers beside them.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from indexing.watching import watching

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    told = ""
    with watching(load_settings(data=data), now=datetime.now(UTC)) as watcher:
        while not stop.is_set():
            started = time.monotonic()
            try:
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


def _tell(record: dict[str, object]) -> None:
    sys.stderr.write(json.dumps(record) + "\n")
    sys.stderr.flush()
