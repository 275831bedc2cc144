"""Importing files into a running server instead of a store: the same rows, checks and report, and each row counts with the next feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from signal import SIGINT, default_int_handler, getsignal, signal
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TypeVar

from indexing.importing.delivery import PATIENCE_S, Delivery
from indexing.importing.import_files import ImportRequest
from indexing.importing.live_events import LiveEvents
from indexing.importing.rejects import Rejects
from indexing.importing.report import ImportReport
from indexing.importing.run import check, report, write
from indexing.importing.targets import ItemTarget, Written
from indexing.progress import Reporter
from recommender.client import Client
from recommender.errors import Undelivered
from recommender.items import Item
from recommender.settings import Settings

TIMEOUT_S = 30.0
"""Seconds that one call may take, a thousand items of the largest size among them."""

Row = TypeVar("Row")

EVENT_SERVICE, CATALOG_SERVICE = "recommender.v1.EventService", "recommender.v1.CatalogService"


def send_items(
    request: ImportRequest,
    settings: Settings,
    address: str,
    *,
    now: datetime,
    reporter: Reporter,
    wait_s: float | None = None,
    patience_s: float = PATIENCE_S,
) -> ImportReport:
    """Send items to the operators' address of a server; with `wait_s` return only once feeds know them by all that they say.

    Raises `InvalidInput` for files that cannot be read as a whole and `ImportRefused` for too many bad rows, both before anything is sent
    where it can be told then. Raises `Undelivered` where the server takes nothing for `patience_s` seconds, or no item has become
    recommendable for `wait_s` seconds; what was acknowledged stays.
    """
    taken: list[str] = []
    with Client(address, address, timeout_s=TIMEOUT_S) as client, Rejects(request.rejects_path(settings, now)) as rejects:
        delivery = Delivery(client, address, reporter, patience_s=patience_s)

        def put(items: Sequence[Item]) -> Written:
            written = delivery.items(items)
            if wait_s is not None:
                taken.extend(item.id for place, item in enumerate(items) if place not in written.refused)
            return written

        delivery.check(CATALOG_SERVICE)
        checked = check(
            ItemTarget(now=now), request.files, request.mapping, rejects, limit=request.limit, batch=request.batch, reporter=reporter
        )
        if request.dry_run:
            return report(checked, rejects, counts={}, dry_run=True)
        with _told_how_far(delivery, reporter), interruptible(put) as sending:
            done = write(checked, sending, rejects, reporter=reporter, limit=request.limit)
            if wait_s is not None:
                delivery.wait(taken, at_most_s=wait_s)
            return done


def send_events(
    request: ImportRequest,
    settings: Settings,
    address: str,
    *,
    now: datetime,
    reporter: Reporter,
    patience_s: float = PATIENCE_S,
) -> ImportReport:
    """Send events to the front ends' address of a server. Raises like `send_items`."""
    with Client(address, timeout_s=TIMEOUT_S) as client, Rejects(request.rejects_path(settings, now)) as rejects:
        delivery = Delivery(client, address, reporter, patience_s=patience_s)
        delivery.check(EVENT_SERVICE)
        target = LiveEvents(now=now, future_tolerance_s=settings.future_tolerance_s)
        checked = check(target, request.files, request.mapping, rejects, limit=request.limit, batch=request.batch, reporter=reporter)
        if request.dry_run:
            return report(checked, rejects, counts={}, dry_run=True)
        with _told_how_far(delivery, reporter), interruptible(delivery.events) as sending:
            return write(checked, sending, rejects, reporter=reporter, limit=request.limit)


@contextmanager
def interruptible(put: Callable[[Sequence[Row]], Written]) -> Iterator[Callable[[Sequence[Row]], Written]]:
    """`put`, which ends with the next batch at the latest once this process was interrupted (SIGINT).

    An interrupt that comes while gRPC calls back, or while an object is let go, is lost otherwise: Python cannot raise anything there.
    """
    asked, before = Event(), getsignal(SIGINT)

    def interrupted(number: int, frame: FrameType | None) -> None:
        asked.set()
        default_int_handler(number, frame)

    def sending(rows: Sequence[Row]) -> Written:
        if asked.is_set():
            raise KeyboardInterrupt
        return put(rows)

    # Others than Python's own handler know what they do, and only the main thread may set one.
    if before is not default_int_handler or current_thread() is not main_thread():
        yield put
        return
    signal(SIGINT, interrupted)
    try:
        yield sending
    finally:
        signal(SIGINT, before)


@contextmanager
def _told_how_far(delivery: Delivery, reporter: Reporter) -> Iterator[None]:
    """Whatever ends the import early, whoever runs it learns how far it came."""

    def far() -> str:
        return f"{delivery.delivered:,} rows were acknowledged and stay; the same import again counts none of them twice"

    try:
        yield
    except KeyboardInterrupt:
        reporter.tell(f"interrupted: {far()}")
        raise
    except Undelivered as error:
        raise Undelivered(f"{error}; {far()}") from error
