"""EventService: takes what people saw and did. Works without a generation."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import grpc

from recommender.errors import InvalidInput, InvalidToken
from recommender.events import Consent, Event
from recommender.store import EventOutcome, EventStatus, Store
from recommender.tokens import TokenSigner
from recommender.v1 import event_pb2, event_pb2_grpc
from server.metrics import Metrics
from server.reading import batch_of, event_of, within
from server.streams import ORDERLY_S
from server.writing import event_result_message


class EventService(event_pb2_grpc.EventServiceServicer):
    """What is answered as accepted is durable and counts in that person's next feed. Events older than `late` are rejected."""

    def __init__(
        self,
        store: Store,
        signer: TokenSigner,
        metrics: Metrics,
        consent_default: Consent,
        now: Callable[[], datetime],
        *,
        late: timedelta,
    ) -> None:
        self._store = store
        self._signer = signer
        self._metrics = metrics
        self._consent_default = consent_default
        self._now = now
        self._late = late

    def RecordEvents(self, request: event_pb2.RecordEventsRequest, context: grpc.ServicerContext) -> event_pb2.RecordEventsResponse:
        """Record events; a bad one is rejected alone."""
        outcomes = self._recorded(request.events)
        return event_pb2.RecordEventsResponse(results=map(event_result_message, outcomes), **_counted(outcomes))

    def StreamEvents(
        self, request_iterator: Iterator[event_pb2.StreamEventsRequest], context: grpc.ServicerContext
    ) -> Iterator[event_pb2.StreamEventsResponse]:
        """Record one batch after the other, and answer each when it is durable, until the sender ends or the stream has grown old."""
        end = time.monotonic() + ORDERLY_S
        for place, request in enumerate(request_iterator):
            with within(f"requests[{place}]"):
                outcomes = self._recorded(request.events)
            yield event_pb2.StreamEventsResponse(results=map(event_result_message, outcomes), **_counted(outcomes))
            if time.monotonic() > end:
                return

    def LinkSession(self, request: event_pb2.LinkSessionRequest, context: grpc.ServicerContext) -> event_pb2.LinkSessionResponse:
        """Have a session be a user's."""
        linked = self._store.link_session(request.session_id, request.user_id)
        return event_pb2.LinkSessionResponse(user_id=linked.person.id, already_linked=not linked.new)

    def MergeUsers(self, request: event_pb2.MergeUsersRequest, context: grpc.ServicerContext) -> event_pb2.MergeUsersResponse:
        """Have one user be another."""
        merged = self._store.merge_users(request.from_user_id, request.into_user_id)
        return event_pb2.MergeUsersResponse(user_id=merged.person.id, already_merged=not merged.new)

    def _recorded(self, messages: Sequence[event_pb2.Event]) -> list[EventOutcome]:
        """Record the events that can be, in one transaction; one outcome each, in order. Raises `InvalidInput` for too many or none."""
        batch_of(len(messages), "events")
        numbers = self._store.item_numbers(list({message.item_id for message in messages if message.token}))
        outcomes: list[EventOutcome | None] = [None] * len(messages)
        events: list[Event] = []
        places: list[int] = []
        for place, message in enumerate(messages):
            try:
                event = event_of(message)
                self._check_token(event, numbers)
                events.append(event)
                places.append(place)
            except InvalidInput as error:
                outcomes[place] = EventOutcome(message.id, EventStatus.REJECTED, str(error.within(f"events[{place}]")))
        now = self._now()
        recorded = self._store.record_events(events, now=now, consent_default=self._consent_default, oldest=now - self._late)
        for place, outcome in zip(places, recorded, strict=True):
            why = f"events[{place}].{outcome.message}" if outcome.message else ""
            outcomes[place] = EventOutcome(outcome.event_id, outcome.status, why)
        done = [outcome for outcome in outcomes if outcome is not None]
        for status, count in Counter(outcome.status for outcome in done).items():
            self._metrics.events.labels(status.value).inc(count)
        return done

    def _check_token(self, event: Event, numbers: dict[str, int]) -> None:
        """Raise `InvalidToken` unless the event's token is absent, or genuine and made for the event's item."""
        if not event.token:
            return
        token = self._signer.read_item(event.token)
        # An item that the catalogue does not have is the store's to refuse, with a message about the item.
        if event.item_id in numbers and numbers[event.item_id] != token.number:
            raise InvalidToken("token", event.token, f"the token that came with item {event.item_id}")


def _counted(outcomes: Sequence[EventOutcome]) -> dict[str, int]:
    """The counts that come with the answer to a batch."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {
        "accepted": counts[EventStatus.ACCEPTED],
        "duplicates": counts[EventStatus.DUPLICATE],
        "rejected": counts[EventStatus.REJECTED],
    }
