"""Calls that record what people did, and say who is whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from recommender.client.calling import Connection
from recommender.client.messages import event_message
from recommender.client.streaming import recorded
from recommender.events import Event
from recommender.v1 import event_pb2, event_pb2_grpc


class EventCalls(Connection):
    """What front ends report."""

    @cached_property
    def _events(self) -> event_pb2_grpc.EventServiceStub:
        return event_pb2_grpc.EventServiceStub(self._channel)

    def record(self, events: Iterable[Event]) -> event_pb2.RecordEventsResponse:
        """Record up to 1,000 events; one result each, in order."""
        request = event_pb2.RecordEventsRequest(events=[event_message(event) for event in events])
        return self._call(self._events.RecordEvents, request)

    def record_stream(self, batches: Iterable[Iterable[Event]]) -> Iterator[event_pb2.StreamEventsResponse]:
        """Record many batches of up to 1,000 events each over one stream, and give the answer of each once it is durable, in order.

        Batches are taken as answers are asked for, a few ahead, so that `batches` may go on for as long as it likes. A server ends
        streams after some seconds: the next one is opened then, and batches that were not answered are sent again, whose events may be
        answered as duplicates. Raises `ClientError`; what was answered before is safe, and everything may be sent again.
        """
        return recorded(self._events.StreamEvents, batches)

    def link_session(self, session: str, user: str) -> event_pb2.LinkSessionResponse:
        """Have a `session` be the `user`'s, for good: its profile joins theirs, and its feeds are theirs. May be repeated.

        Raises `Refused` where it is another user's already.
        """
        return self._call(self._events.LinkSession, event_pb2.LinkSessionRequest(session_id=session, user_id=user))

    def merge_users(self, from_user: str, into_user: str) -> event_pb2.MergeUsersResponse:
        """Have the user `from_user` be the user `into_user`, for good, with all sessions of the former. May be repeated.

        Raises `Refused` where the former was merged into another one already, or the latter into the former.
        """
        return self._call(self._events.MergeUsers, event_pb2.MergeUsersRequest(from_user_id=from_user, into_user_id=into_user))
