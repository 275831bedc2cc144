"""Rows on their way to a running server: in batches, sent again while it cannot take them, counted when they are acknowledged."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from grpc import StatusCode

from indexing.importing.rejects import Problem
from indexing.importing.targets import Written
from indexing.progress import Reporter
from recommender.client import Client, ClientError, Overloaded
from recommender.errors import Undelivered
from recommender.events import Event
from recommender.items import Item
from recommender.v1 import catalog_pb2, event_pb2

BATCH = 1_000
"""Items or events that one message may hold."""
BATCH_BYTES = 2**20
"""What the contexts of one message's events may take in characters: a front ends' listener takes 8 MiB."""

PATIENCE_S = 60.0
"""Seconds without an acknowledgement after which a server that cannot be reached, or takes nothing, is given up."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Where the server does not ask for a delay; each further pause is twice as long."""
LOOK_S = 0.25
"""Seconds between two looks at whether items have become ready."""

_PASSING = frozenset(
    {StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED, StatusCode.ABORTED}
)
_PLACE = re.compile(r"^(requests\[\d+\]\.)?(events|items)\[\d+\]\.?")
"""Where in a message a refused row stood, which means nothing to whoever reads of its line in a file."""
_MESSAGE = re.compile(r"^([^:]+): given .*, allowed: (.*)$", re.DOTALL)

_UPSERTED = {
    catalog_pb2.UPSERT_STATUS_CREATED: "created",
    catalog_pb2.UPSERT_STATUS_UPDATED: "updated",
    catalog_pb2.UPSERT_STATUS_UNCHANGED: "unchanged",
}
_RECORDED = {event_pb2.EVENT_STATUS_ACCEPTED: "accepted", event_pb2.EVENT_STATUS_DUPLICATE: "duplicates"}

A = TypeVar("A")
B = TypeVar("B")


class Delivery:
    """Sends rows to the server at `address`, by `client`. `delivered`: rows that it has answered so far."""

    def __init__(self, client: Client, address: str, reporter: Reporter, *, patience_s: float = PATIENCE_S) -> None:
        self._client = client
        self._address = address
        self._reporter = reporter
        self._patience_s = patience_s
        self._pause_s = FIRST_PAUSE_S
        self._heard = time.monotonic()
        self.delivered = 0

    def check(self, service: str) -> None:
        """Ask once whether `service` is served there, before files are read. Raises `Undelivered`."""
        try:
            serving = self._client.serves(service)
        except ClientError as error:
            why = "it does not know of it; is it the other one of its two addresses?" if error.code is StatusCode.NOT_FOUND else str(error)
            raise Undelivered(f"no server at {self._address} serves {service}: {why}") from error
        if not serving:
            raise Undelivered(f"the server at {self._address} does not serve {service} now")

    def items(self, records: Sequence[Item]) -> Written:
        """Send items. Raises `Undelivered`."""
        self._begin()
        results: list[catalog_pb2.UpsertResult] = []
        for first in range(0, len(records), BATCH):
            results += self._answered(self._client.upsert_items, records[first : first + BATCH]).results
            self._acknowledged(len(results) - first)
        counts = Counter(_UPSERTED[result.status] for result in results if result.status in _UPSERTED)
        return Written(counts, {place: _problem(result.message) for place, result in enumerate(results) if result.status not in _UPSERTED})

    def events(self, records: Sequence[Event]) -> Written:
        """Send events over streams. Raises `Undelivered`."""
        self._begin()
        left, results = list(_batches(records)), list[event_pb2.EventResult]()
        while left:
            try:
                for answer in self._client.record_stream(tuple(left)):
                    del left[0]
                    results += answer.results
                    self._acknowledged(len(answer.results))
            except ClientError as error:
                self._wait_after(error)
        counts = Counter(_RECORDED[result.status] for result in results if result.status in _RECORDED)
        return Written(counts, {place: _problem(result.message) for place, result in enumerate(results) if result.status not in _RECORDED})

    def wait(self, item_ids: Sequence[str], *, at_most_s: float) -> None:
        """Return once feeds know all of these items by all that they say; those that were deleted meanwhile are not waited for.

        Raises `Undelivered` where none has become ready for `at_most_s` seconds.
        """
        left = list(dict.fromkeys(item_ids))
        asked, done, last = len(left), 0, time.monotonic()
        with self._reporter.stage("waiting until they are recommendable") as stage:
            while left:
                stage(done, asked)
                self._begin()
                answer = self._answered(self._client.get_items, left[:BATCH])
                unready = [stored.item.id for stored in answer.items if not stored.ready]
                left = left[BATCH:] + unready
                if asked - len(left) > done:
                    done, last = asked - len(left), time.monotonic()
                elif time.monotonic() - last > at_most_s:
                    raise Undelivered(f"{len(left):,} of {asked:,} items are not recommendable {at_most_s:g} s later: {self._why_not()}")
                if unready:
                    time.sleep(LOOK_S)
            stage(asked, asked)

    def _why_not(self) -> str:
        try:
            self._client.get_generation()
        except ClientError as error:
            return str(error)
        return "does `recommender watch` run, which embeds what they say? They are stored, and shown by all else"

    def _answered(self, call: Callable[[Sequence[A]], B], records: Sequence[A]) -> B:
        while True:
            try:
                return call(records)
            except ClientError as error:
                self._wait_after(error)

    def _begin(self) -> None:
        self._heard = time.monotonic()

    def _acknowledged(self, rows: int) -> None:
        self.delivered += rows
        self._heard, self._pause_s = time.monotonic(), FIRST_PAUSE_S

    def _wait_after(self, error: ClientError) -> None:
        """Pause before the next try, as long as the server asks for. Raises `Undelivered` where no further one will help, or none has."""
        if error.code not in _PASSING or time.monotonic() - self._heard > self._patience_s:
            raise Undelivered(f"the server at {self._address} does not take them: {error} ({error.code.name})") from error
        asked_s = error.retry_after_s if isinstance(error, Overloaded) else None
        time.sleep(self._pause_s if asked_s is None else asked_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _batches(records: Sequence[Event]) -> Iterator[list[Event]]:
    batch, size = list[Event](), 0
    for record in records:
        own = sum(len(name) + len(value) for name, value in record.context.items())
        if batch and (len(batch) == BATCH or size + own > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += own
    if batch:
        yield batch


def _problem(message: str) -> Problem:
    """Why the server refused a row; reasons leave out what was given, so that equal ones can be counted."""
    text = _PLACE.sub("", message)
    parts = _MESSAGE.match(text)
    return Problem(text, f"{parts[1]}: allowed: {parts[2]}" if parts else text)
