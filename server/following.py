"""Keeps the cache of a server up with the remote place that generations are published to. Serving reads the cache alone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from recommender.background import stand_back
from recommender.errors import CorruptGeneration, RecommenderError, RemoteError
from recommender.remote.generations import RemoteGenerations
from server.live import RETRY_MOST_S, Live
from server.logs import LOGGER_NAME
from server.metrics import Metrics

_LOG = logging.getLogger(f"{LOGGER_NAME}.remote")
STOP_S = 2.0
"""So long a download is waited for when the server stops; what is half there is removed by the next one."""


class Following:
    """Looks every `poll_s` seconds for what is active at the place, brings it into the cache, and has `live` take it up."""

    def __init__(self, remote: RemoteGenerations, live: Live, metrics: Metrics, now: Callable[[], datetime], poll_s: float) -> None:
        self._remote = remote
        self._live = live
        self._metrics = metrics
        self._now = now
        self._poll_s = poll_s
        self._stop = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._follow, name="remote generations", daemon=True)

    def start(self) -> None:
        """Begin to look, at once and then every `poll_s` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join(STOP_S)

    def _follow(self) -> None:
        stand_back()
        wait_s = self._poll_s
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                fetched = self._remote.follow(now=self._now())
            except CorruptGeneration as error:
                self._reached()
                self._refuse(error)
                wait_s = self._poll_s
            except RemoteError as error:
                self._metrics.remote_reachable.set(0)
                self._tell("remote generations out of reach; what the cache holds is served", str(error))
                wait_s = self._poll_s
            except Exception as error:
                # The disk may be full for a while; whatever serves goes on serving.
                expected = isinstance(error, RecommenderError)
                self._tell("remote generation not fetched; it is tried again", str(error) if expected else type(error).__name__)
                wait_s = min(2 * wait_s, RETRY_MOST_S)
            else:
                self._reached()
                wait_s = self._poll_s
                if fetched is not None:
                    _LOG.info(
                        "generation fetched",
                        extra={
                            "generation_id": fetched.manifest.id,
                            "downloaded": fetched.downloaded,
                            "shared": fetched.shared,
                            "seconds": round(time.monotonic() - began, 3),
                        },
                    )
                    self._metrics.remote_bytes.inc(fetched.downloaded)
                    self._live.retry()
            self._stop.wait(wait_s)

    def _reached(self) -> None:
        self._metrics.remote_reachable.set(1)
        if self._told:
            _LOG.info("remote generations are within reach", extra={"place": self._remote.place.url})
        self._told = ""

    def _refuse(self, error: CorruptGeneration) -> None:
        self._metrics.generation_refusals.inc()
        serving = self._live.engine
        _LOG.error(
            "generation refused",
            extra={
                "generation_id": error.generation_id,
                "why": str(error),
                "serving": None if serving is None else serving.generation_id,
            },
        )

    def _tell(self, what: str, why: str) -> None:
        """Log what is wrong, once until it is something else."""
        if why != self._told:
            serving = self._remote.cache.current_id()
            _LOG.error(what, extra={"place": self._remote.place.url, "why": why, "cached": serving})
        self._told = why
