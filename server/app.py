"""The serving process: puts store, engine, services and listeners together, starts them and stops them in order."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import faiss

from recommender.decisions.rebuilding import Rebuilder
from recommender.events import Consent
from recommender.generation import Generations
from recommender.retention import Rules
from recommender.settings import Settings
from recommender.store import Store, open_store, store_exists
from recommender.tokens import TokenSigner
from recommender.trends import Least
from recommender.v1 import catalog_pb2_grpc, decision_pb2_grpc, event_pb2_grpc, generation_pb2_grpc, retention_pb2_grpc
from server.addresses import Address
from server.bench.floor import FLOOR, add_floor
from server.catalog_service import CatalogService
from server.deadlines import Usual
from server.deciding import METHODS, Tools
from server.decision_service import DecisionService
from server.decisions import DecisionWriter
from server.event_service import EventService
from server.feed_handlers import FEED, add_feeds
from server.feed_service import FeedService
from server.generation_service import GenerationService
from server.interceptor import CallInterceptor
from server.lanes import Lane
from server.listeners import Listener
from server.live import Live
from server.logs import LOGGER_NAME
from server.metrics import Metrics, MetricsPage
from server.offered import PlacementsFile
from server.retention_service import RetentionService
from server.streams import StreamLimit
from server.token_keys import parse_keys
from server.trends import Trends
from server.warming import warm_filters

if TYPE_CHECKING:
    from recommender.remote.writer import RemoteWriter
    from server.following import Following

_LOG = logging.getLogger(LOGGER_NAME)

EVENT = "recommender.v1.EventService"
CATALOG = "recommender.v1.CatalogService"
GENERATION = "recommender.v1.GenerationService"
RETENTION = "recommender.v1.RetentionService"
DECISION = "recommender.v1.DecisionService"

FRONT_MESSAGE_BYTES = 8 * 2**20
ADMIN_MESSAGE_BYTES = 256 * 2**20
"""A thousand items with texts of the largest size fit."""

STREAM_SHARE = 4
"""One in so many threads of a listener may be taken by a streaming call."""

EVENT_WAIT_S = 1.0
"""Seconds that events may wait for their turn: losing them is worse than being late."""

ID_BYTES = 16


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


def random_id() -> bytes:
    """A decision id that nobody can guess."""
    return secrets.token_bytes(ID_BYTES)


@dataclass(frozen=True)
class Addresses:
    """Where a started server listens, as host:port with the real ports."""

    listen: str
    admin_listen: str
    metrics_listen: str


class Server:
    """A started server; `Server.start` makes one, `stop` ends it. A context manager that stops at its end.

    Events, catalogue and generations are served at once, feeds as soon as a generation is loaded: until then the overall
    health of the front ends' listener and that of FeedService are NOT_SERVING and feeds are UNAVAILABLE.
    """

    def __init__(
        self,
        settings: Settings,
        placements: PlacementsFile,
        store: Store,
        signer: TokenSigner,
        now: Callable[[], datetime],
        new_id: Callable[[], bytes],
        undo: ExitStack,
        metrics: Metrics,
        *,
        floor: bool,
    ) -> None:
        """Use `Server.start`. `undo` takes what must be closed, whether the server comes to life or not."""
        self._grace_s = settings.grace_s
        self.metrics = metrics
        consent_default = Consent.ALL if settings.consent_default == "all" else Consent.NONE
        generations = Generations(settings.generations_path)
        remote = _remote(settings, store, now)
        decisions = DecisionWriter(store, self.metrics, limit=settings.decisions_queue)
        undo.callback(decisions.close)
        self.live = Live(
            generations,
            store,
            self.metrics,
            now=now,
            poll_s=settings.generation_poll_s,
            changes_poll_s=settings.changes_poll_s,
            counts_poll_s=settings.counts_poll_s,
            deltas=settings.deltas_path,
            patience_s=settings.embedding_patience_s,
            on_serving=self._feeds_serve,
        )
        self.trends = Trends(
            store,
            self.metrics,
            now=now,
            poll_s=settings.counts_poll_s,
            days=settings.trend_days,
            limit=settings.trend_events,
            least=Least(settings.trend_people, settings.trend_item_people),
        )
        undo.callback(self.trends.stop)
        self.usual = {method: Usual() for method in METHODS}
        self.feeds = FeedService(
            Tools(
                store=store,
                live=self.live,
                trends=self.trends,
                offered=placements,
                signer=signer,
                decisions=decisions,
                metrics=self.metrics,
                consent_default=consent_default,
                page_age=timedelta(hours=settings.page_token_hours),
                now=now,
                new_id=new_id,
                usual=self.usual,
            )
        )
        events = EventService(store, signer, self.metrics, consent_default, now, late=timedelta(days=settings.late_days))
        catalogue = CatalogService(store, self.live, now)
        self._placements = placements
        undo.callback(placements.stop)
        self._following = None
        if remote is not None:
            self._following = _following(remote, self.live, self.metrics, now, settings.generation_poll_s)
            undo.callback(self._following.stop)
        builds = GenerationService(remote or generations, self.live, now)
        retention = RetentionService(store, generations, Rules.of(settings), now)
        explaining = DecisionService(store, signer, Rebuilder(store, generations, settings.deltas_path))
        streams = max(1, settings.threads // STREAM_SHARE)
        feeds_lane, events_lane = Lane("feeds", settings.threads, settings.wait_s), Lane("events", settings.threads, EVENT_WAIT_S)
        self._front = Listener(
            "listen",
            Address.parse(settings.listen, "listen"),
            {
                FEED: partial(add_feeds, self.feeds),
                EVENT: partial(event_pb2_grpc.add_EventServiceServicer_to_server, events),
                **({FLOOR: add_floor} if floor else {}),
            },
            CallInterceptor(self.metrics, StreamLimit(streams), {FEED: feeds_lane, FLOOR: feeds_lane, EVENT: events_lane}),
            lanes=(feeds_lane, events_lane),
            threads=settings.threads,
            message_bytes=FRONT_MESSAGE_BYTES,
        )
        undo.callback(self._front.stop, 0)
        self._admin = Listener(
            "admin_listen",
            Address.parse(settings.admin_listen, "admin_listen"),
            {
                CATALOG: partial(catalog_pb2_grpc.add_CatalogServiceServicer_to_server, catalogue),
                GENERATION: partial(generation_pb2_grpc.add_GenerationServiceServicer_to_server, builds),
                DECISION: partial(decision_pb2_grpc.add_DecisionServiceServicer_to_server, explaining),
                RETENTION: partial(retention_pb2_grpc.add_RetentionServiceServicer_to_server, retention),
            },
            CallInterceptor(self.metrics, StreamLimit(streams)),
            threads=settings.threads,
            message_bytes=ADMIN_MESSAGE_BYTES,
        )
        undo.callback(self._admin.stop, 0)
        page = MetricsPage(self.metrics, Address.parse(settings.metrics_listen, "metrics_listen"))
        undo.callback(page.close)
        self.addresses = Addresses(str(self._front.address), str(self._admin.address), str(page.address))
        self._undo = undo
        self.first_look_s = 0.0
        self._filters = Thread(target=warm_filters, name="filters", daemon=True)

    @classmethod
    def start(
        cls,
        settings: Settings,
        *,
        now: Callable[[], datetime] = utc_now,
        new_id: Callable[[], bytes] = random_id,
        floor: bool = False,
    ) -> Server:
        """A server that listens, after looking once for a generation; with `floor`, also of what benchmarks compare with.

        A store is made where there is none. Raises `InvalidInput` naming the setting for an address that cannot be had, bad
        placements or keys, and `SchemaMismatch` for a store of another version.
        """
        # Feeds are many small pieces of work on many threads; a pool inside each piece would only fight the others.
        faiss.omp_set_num_threads(1)
        metrics = Metrics(now)
        placements = PlacementsFile(settings.placements, metrics)
        # An existing store is never upgraded on the way: that is `recommender store migrate`'s to do.
        store = open_store(
            settings.store_place,
            create=not store_exists(settings.store_place),
            dedup_days=settings.dedup_days,
            future_tolerance_s=settings.future_tolerance_s,
        )
        with ExitStack() as undo:
            undo.callback(store.close)
            keys = store.token_keys() if settings.token_keys is None else parse_keys(settings.token_keys.get_secret_value())
            server = cls(settings, placements, store, TokenSigner(keys), now, new_id, undo, metrics, floor=floor)
            server._undo = undo.pop_all()
        server._listen()
        return server

    def _listen(self) -> None:
        self._front.serving(EVENT)
        self._admin.serving("", CATALOG, GENERATION, RETENTION, DECISION)
        self._front.start()
        self._admin.start()
        self._placements.start()
        self.trends.start()
        began = time.perf_counter()
        self.live.start()
        if self._following is not None:
            self._following.start()
        self.live.wait_for_first_look()
        self.first_look_s = time.perf_counter() - began
        # After all that the first feed without a filter needs, and long before the next generation.
        self._filters.start()
        _LOG.info("listening", extra=asdict(self.addresses))

    def _feeds_serve(self) -> None:
        self._front.serving("", FEED)

    def wait_for_filters(self) -> None:
        """Return when all is there that filters need; feeds without filters do not wait for it."""
        self._filters.join()

    def stop(self) -> None:
        """Take no more calls, let the running ones end within `grace_s`, write what waits, and close everything."""
        waits = [listener.stop(self._grace_s) for listener in (self._front, self._admin)]
        for wait in waits:
            wait()
        self.live.stop()
        self._undo.close()
        _LOG.info("stopped")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()


def _remote(settings: Settings, store: Store, now: Callable[[], datetime]) -> RemoteWriter | None:
    """The remote generations, None where they lie in the data folder: then nothing of what they need is imported."""
    if settings.generations is None:
        return None
    from recommender.remote.writer import remote_writer_of

    return remote_writer_of(settings, store, now)


def _following(remote: RemoteWriter, live: Live, metrics: Metrics, now: Callable[[], datetime], poll_s: float) -> Following:
    from server.following import Following

    return Following(remote, live, metrics, now, poll_s)
