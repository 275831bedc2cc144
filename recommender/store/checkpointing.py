"""Carrying what was committed from the write-ahead log into the store's file, beside the writer and not in its way."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from recommender.background import FURTHER, stand_back
from recommender.errors import StoreError
from recommender.store.sqlite_connection import connect

DUE_ROWS = 8_000
"""Rows written since the last checkpoint after which the next one is due."""

LONG_LOG = 16_384
"""Pages in the log (of 4 kB: 64 MB) from which on the writer is asked to wait for the rest, so that the log begins anew."""

_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"


class Checkpointer:
    """Runs checkpoints in a thread of its own, which starts when the first one is due.

    SQLite lets a writer go on during a checkpoint, but would never let the log begin anew while it does. So once the log is
    long, the writer carries over the few pages that came during the last checkpoint (`catch_up`), and the next commit goes to
    the log's beginning. A checkpoint that fails, for a full disk say, is tried again when the next one is due, as
    SQLite's own would be; what was committed is safe in the log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._rows = 0
        self._long = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def written(self, rows: int) -> None:
        """Take note of `rows` that were committed."""
        with self._changed:
            self._rows += rows
            if self._rows < DUE_ROWS or self._closing:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="store-checkpointer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def catch_up(self, connection: sqlite3.Connection) -> None:
        """Within the writers' lock, and outside a transaction: carry over the rest where the log has become long."""
        if not self._long:
            return
        # What is to be committed does not need it: if it fails, the log grows until it can be done.
        with suppress(sqlite3.Error):
            connection.execute(_CHECKPOINT).fetchone()
        with self._changed:
            self._long = False
            self._changed.notify()

    def close(self) -> None:
        """End the thread, once the checkpoint that it is at is done."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        # Nobody waits for it, and tens of milliseconds of copying would be felt by whoever answers.
        stand_back(FURTHER)
        connection: sqlite3.Connection | None = None
        while self._is_due():
            try:
                connection = connection or connect(self._path, writer=True)
                _, pages, _ = connection.execute(_CHECKPOINT).fetchone()
                self._long = pages >= LONG_LOG
            except (sqlite3.Error, StoreError):
                _close(connection)
                connection = None
        _close(connection)

    def _is_due(self) -> bool:
        with self._changed:
            # A checkpoint of this thread would keep the writer from catching up.
            while (self._rows < DUE_ROWS or self._long) and not self._closing:
                self._changed.wait()
            self._rows = 0
            return not self._closing


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()
