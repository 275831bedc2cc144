"""The served record: what was handed out, kept in the store under its decision id, off the request path."""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.errors import RecommenderError
from recommender.events import Subject
from recommender.feeds import Query
from recommender.served_query import MadeWith, encode_query
from recommender.store import Decision, Store
from server.logs import LOGGER_NAME
from server.metrics import Metrics

_LOG = logging.getLogger(f"{LOGGER_NAME}.decisions")

BATCH = 500
"""Records written in one transaction."""

LINGER_S = 0.1
"""How long a record waits for others at the most: a transaction of its own would cost more than the answer does."""


class Served(NamedTuple):
    """One answer as it was decided: the whole slate with sources and probabilities, and what it was made from.

    `subject` and `query` are None where the person does not allow to be counted, and `query` also where it is no ranking that could be made
    again.
    """

    decision_id: bytes
    at: datetime
    subject: Subject | None
    query: Query | None
    made: MadeWith
    placement: str
    placement_version: str
    generation_id: str
    profile: str
    basis: int
    seed: int
    change: int
    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    def decision(self) -> Decision:
        """The form that the store keeps."""
        return Decision(
            id=self.decision_id,
            at=self.at,
            subject=self.subject,
            placement=self.placement,
            placement_version=self.placement_version,
            generation_id=self.generation_id,
            profile=self.profile,
            basis=self.basis,
            seed=self.seed,
            change=self.change,
            query=b"" if self.query is None else encode_query(self.query, self.made),
            numbers=self.numbers,
            sources=self.sources,
            probabilities=self.probabilities,
        )


class DecisionWriter:
    """Writes served records in the background. At most `limit` wait; more are dropped and counted, so no answer ever waits."""

    def __init__(self, store: Store, metrics: Metrics, *, limit: int) -> None:
        self._store = store
        self._metrics = metrics
        self._limit = limit
        self._batch = min(BATCH, limit)
        self._waiting: deque[Served] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="decisions", daemon=True)
        self._thread.start()

    def note(self, served: Served) -> None:
        """Keep `served`, or count it as dropped when too many wait. Never blocks on the store."""
        with self._changed:
            kept = not self._closed and len(self._waiting) < self._limit
            if kept:
                self._waiting.append(served)
                # In between the writer waits for more to come.
                if len(self._waiting) in (1, self._batch):
                    self._changed.notify()
        if not kept:
            self._metrics.decisions_dropped.labels("queue").inc()

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                self._changed.wait_for(lambda: self._closed or len(self._waiting) >= self._batch, timeout=LINGER_S)
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._write(batch)

    def _write(self, batch: list[Served]) -> None:
        try:
            self._store.record_decisions([served.decision() for served in batch])
        except RecommenderError as error:
            self._metrics.decisions_dropped.labels("store").inc(len(batch))
            _LOG.error("served records lost", extra={"count": len(batch), "why": str(error)})
        except Exception:
            # The writer must outlive a surprise: without it every later record would be lost in silence.
            self._metrics.decisions_dropped.labels("store").inc(len(batch))
            _LOG.exception("served records lost", extra={"count": len(batch)})
        else:
            self._metrics.decisions_written.inc(len(batch))
