"""Prometheus metrics, in a registry of their own, and the HTTP address that shows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from socket import SOCK_STREAM, getaddrinfo
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, make_wsgi_app

from recommender.errors import InvalidInput
from server.addresses import Address

SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency buckets: fine where a feed should be, coarse where it should not."""

STOP_POLL_S = 0.05
"""How often the page's thread looks whether it shall stop; the wait is part of every stop of the server."""


class Metrics:
    """All metrics of one process. `now` is the clock that the generation's age is told by."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self._requests = counter("recommender_requests", "Calls by method and status code.", ["method", "code"])
        self.seconds = Histogram(
            "recommender_request_seconds",
            "Seconds from the start of a call's work to its end.",
            ["method"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.waits = Histogram(
            "recommender_wait_seconds",
            "Seconds from when a call came in to the start of its work.",
            ["lane"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.turned_away = counter("recommender_turned_away", "Calls that were turned away under overload, and why.", ["method", "why"])
        self.in_flight = gauge("recommender_requests_in_flight", "Calls being worked on.")
        self._answers = counter("recommender_answers", "Answers by method and by what they rest on.", ["method", "basis"])
        self.degraded = counter("recommender_degraded", "What was left out of answers, and why.", ["what", "why"])
        self.events = counter("recommender_events", "Events by what became of them.", ["status"])
        self.decisions_written = counter("recommender_decisions_written", "Served records written to the store.")
        self.decisions_dropped = counter(
            "recommender_decisions_dropped", "Served records lost, because the queue was full or the store failed.", ["why"]
        )
        self.generation = gauge("recommender_generation_info", "1 for the generation that serves.", ["generation"])
        self.generation_loads = counter("recommender_generation_loads", "Generations taken into service.")
        self.generation_refusals = counter("recommender_generation_refusals", "Generations refused when loading.")
        self.placements_refused = counter("recommender_placements_refused", "Changes of the file of placements that were not taken.")
        self.remote_reachable = gauge(
            "recommender_remote_reachable", "0 while the remote place of generations is out of reach; 1 otherwise, and where there is none."
        )
        self.remote_reachable.set(1)
        self.remote_bytes = counter("recommender_remote_fetched_bytes", "Bytes of generations downloaded from the remote place.")
        self.catalogue_changes = counter("recommender_catalogue_changes_applied", "Changes of items applied to the serving generation.")
        self.items = gauge("recommender_generation_items", "Items that the serving generation holds.")
        self.live_items = gauge("recommender_live_items", "Items of the serving generation that are live.")
        self.newer_items = gauge("recommender_newer_items", "Items that are new or have changed since the serving generation was built.")
        self.unembedded_items = gauge("recommender_unembedded_items", "New items that no delta segment holds yet, with what they mean.")
        self.trend_events = gauge("recommender_trend_events", "Events that trends are counted from.")
        self.trend_reach = gauge("recommender_trend_reach_seconds", "Seconds back from now of which all events are there for trends.")
        # Finding a counter by its labels takes longer than to count.
        self._found: dict[tuple[object, ...], Counter] = {}
        self._now = now
        self._created_at: datetime | None = None
        age = gauge("recommender_generation_age_seconds", "Seconds since the serving generation was built; NaN without one.")
        age.set_function(self._age)

    def answered(self, method: str, basis: str) -> None:
        """Count an answer of `method` that rests on `basis`."""
        self._count(self._answers, method, basis)

    def ended(self, method: str, code: str) -> None:
        """Count a call of `method` that ended with the status `code`."""
        self._count(self._requests, method, code)

    def _count(self, metric: Counter, *labels: str) -> None:
        counter = self._found.get((metric, *labels))
        if counter is None:
            counter = self._found[metric, *labels] = metric.labels(*labels)
        counter.inc()

    def serves(self, generation_id: str, created_at: datetime, items: int) -> None:
        """Note that the generation `generation_id` of so many `items`, built at `created_at`, serves from now on."""
        self.generation.clear()
        self.items.set(items)
        self.generation.labels(generation_id).set(1)
        self.generation_loads.inc()
        self._created_at = created_at

    def _age(self) -> float:
        return float("nan") if self._created_at is None else (self._now() - self._created_at).total_seconds()


class _Pages(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Being scraped is not worth a line in the log."""


class MetricsPage:
    """The HTTP page of `metrics`, up from construction on. Raises `InvalidInput` when `address` cannot be had."""

    def __init__(self, metrics: Metrics, address: Address) -> None:
        try:
            family, _, _, _, _ = getaddrinfo(address.host, address.port, type=SOCK_STREAM)[0]
            self._http = type("Pages", (_Pages,), {"address_family": family})((address.host, address.port), _QuietHandler)
        except OSError as error:
            allowed = f"an address of this machine whose port is free ({error.strerror})"
            raise InvalidInput("setting metrics_listen", str(address), allowed) from error
        self._http.set_app(make_wsgi_app(metrics.registry))
        self._thread = Thread(target=self._http.serve_forever, args=(STOP_POLL_S,), name="metrics", daemon=True)
        self._thread.start()
        self.address = Address(address.host, self._http.server_port)

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
