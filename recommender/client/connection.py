"""The connection to a server: one method for each call of the contract."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from recommender.client.answers import Feed, feed_of
from recommender.client.failures import Unavailable, failure_of, retry_after_of
from recommender.client.histories import History, history_of
from recommender.client.messages import consent_message, duration, event_message, item_message, kind_numbers, mutes_of, subject_of
from recommender.client.slates import Slate, page_of_slate
from recommender.client.streaming import STREAM_S, recorded
from recommender.events import Consent, Event
from recommender.history_lists import HistoryList
from recommender.items import Item, ItemKind, ItemState
from recommender.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    decision_pb2,
    decision_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    feed_pb2,
    feed_pb2_grpc,
    generation_pb2,
    generation_pb2_grpc,
    retention_pb2,
    retention_pb2_grpc,
    types_pb2,
)

TIMEOUT_S = 5.0
RETENTION_S = 600.0
"""Seconds that looking through a large store for what has expired may take."""
EXPLANATION_S = 60.0
"""Seconds that it may take to load a generation of before and to count the events since."""
HEALTH_PAUSE_S = 0.05
TRIES = 4
"""How often a call is sent, at the most, that the server turns away and asks to be tried again."""
RETRY_SPREAD = 0.25
"""The delay that a server asks for is lengthened at random by up to this share, so that clients do not come back in step."""

# Every method but activation may be repeated: reads change nothing, events count once, and the same item or link again is no change.
_RETRIED = ("FeedService", "EventService", "CatalogService")
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": f"recommender.v1.{service}"} for service in _RETRIED],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # A call that reaches a server in the moment of its stop is CANCELLED before anything was done for it.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}

Request = TypeVar("Request")
Response = TypeVar("Response")


class Client:
    """A connection to one server, to be shared by all threads. Every call takes at most `timeout_s` seconds, retries included, but for
    those about retention, which look through the whole store.

    A call that an overloaded server turns away is tried again after the delay that it asks for, where there is time for that.

    `target` is the front ends' address, `admin_target` the operators', needed for items, generations, decisions, retention. Calls raise
    `ClientError`.
    """

    def __init__(self, target: str, admin_target: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        options = [("grpc.service_config", json.dumps(_SERVICE_CONFIG)), ("grpc.enable_retries", 1)]
        # Answers and batches of items may be larger than gRPC's own limit of 4 MiB.
        options += [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.timeout_s = timeout_s
        self._channel = grpc.insecure_channel(target, options)
        self._admin_channel = grpc.insecure_channel(admin_target, options) if admin_target else None
        self._check_health = health_pb2_grpc.HealthStub(self._channel).Check  # type: ignore[attr-defined]
        self._feeds = feed_pb2_grpc.FeedServiceStub(self._channel)
        self._events = event_pb2_grpc.EventServiceStub(self._channel)

    def close(self) -> None:
        """End the connections."""
        self._channel.close()
        if self._admin_channel is not None:
            self._admin_channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def wait_until_serving(self, timeout_s: float = 30.0) -> None:
        """Return once the server makes feeds. Raises `Unavailable` when it does not within `timeout_s` seconds."""
        end = time.monotonic() + timeout_s
        why = "it says NOT_SERVING"
        while (left := end - time.monotonic()) > 0:
            try:
                answer = self._check_health(health_pb2.HealthCheckRequest(), timeout=left, wait_for_ready=True)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError as error:
                why = str(error.details())
            time.sleep(min(HEALTH_PAUSE_S, left))
        raise Unavailable(grpc.StatusCode.UNAVAILABLE, f"no feeds are served after {timeout_s:g} s: {why}")

    def serves(self, service: str = "") -> bool:
        """Whether the server says that `service` serves, by its full name; "" asks whether feeds are made.

        Asked once, without retries. Raises `Missing` where there is no such service and `Unavailable` where nobody listens.
        """
        try:
            answer = self._check_health(health_pb2.HealthCheckRequest(service=service), timeout=self.timeout_s)
        except grpc.RpcError as error:
            raise failure_of(error) from error
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    # Feeds

    def get_feed(
        self,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
        page_token: str = "",
    ) -> Feed:
        """The first page of the feed of a `user` or a `session`, or the page of `page_token` (all else being the same)."""
        return self._feed(
            feed_pb2.GetFeedRequest(
                subject=subject_of(user, session),
                placement=placement,
                context=feed_pb2.RequestContext(
                    language=language,
                    current_item_id=current_item,
                    recent_item_ids=recent_items,
                    region=region,
                    segments=segments,
                    mutes=mutes_of(muted_authors, muted_categories, muted_words),
                ),
                page_size=page_size,
                page_token=page_token,
                exclude_item_ids=exclude,
                kinds=kind_numbers(kinds),
                filter=filter,
                explain=explain,
                consent=consent_message(consent),
            )
        )

    def get_slates(
        self,
        slates: Iterable[Slate],
        *,
        user: str = "",
        session: str = "",
        exclude: Iterable[str] = (),
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        region: str = "",
        segments: Iterable[str] = (),
        muted_authors: Iterable[str] = (),
        muted_categories: Iterable[str] = (),
        muted_words: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> list[Feed]:
        """The feeds of several placements of one screen, with no item in two of them; those that come first choose first."""
        request = feed_pb2.GetSlatesRequest(
            subject=subject_of(user, session),
            slates=[slate.message() for slate in slates],
            context=feed_pb2.RequestContext(
                language=language,
                current_item_id=current_item,
                recent_item_ids=recent_items,
                region=region,
                segments=segments,
                mutes=mutes_of(muted_authors, muted_categories, muted_words),
            ),
            exclude_item_ids=exclude,
            explain=explain,
            consent=consent_message(consent),
        )
        answer = self._call(self._feeds.GetSlates, request)
        return [
            feed_of(of_one, of_one.next_page_token, self._following(page_of_slate(request, slate)))
            for of_one, slate in zip(answer.slates, request.slates, strict=True)
        ]

    def get_similar(
        self,
        items: Iterable[str],
        *,
        unlike: Iterable[str] = (),
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """Items like `items` (1 to 50) and unlike `unlike`; of a `user` or `session` what was consumed or dismissed is left out."""
        request = feed_pb2.GetSimilarRequest(
            item_ids=items,
            negative_item_ids=unlike,
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            subject=subject_of(user, session) if user or session else None,
            explain=explain,
            context=feed_pb2.RequestContext(language=language),
            consent=consent_message(consent),
        )
        return feed_of(self._call(self._feeds.GetSimilar, request))

    def get_popular(
        self,
        *,
        category: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        window: timedelta | None = None,
        half_life: timedelta | None = None,
        region: str = "",
        segment: str = "",
        region_name: str = "",
        segment_name: str = "",
    ) -> Feed:
        """What is popular, overall or in one category; or what trends: within a `window`, with what is new counting more by a `half_life`,
        in a `region` or with a `segment`, which reasons call by their names."""
        request = feed_pb2.GetPopularRequest(
            category=category,
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            context=feed_pb2.RequestContext(language=language),
            window=duration(window),
            half_life=duration(half_life),
            region=region,
            segment=segment,
            region_name=region_name,
            segment_name=segment_name,
        )
        return feed_of(self._call(self._feeds.GetPopular, request))

    def get_history(
        self,
        wanted: HistoryList,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        region: str = "",
        segments: Iterable[str] = (),
        consent: Consent | None = None,
    ) -> History:
        """A list from the history of a `user` or `session`: what they had lately, what they can go on with, or what is due again."""
        request = feed_pb2.GetHistoryRequest(
            subject=subject_of(user, session),
            list=feed_pb2.HistoryList.ValueType(wanted),
            placement=placement,
            page_size=page_size,
            exclude_item_ids=exclude,
            kinds=kind_numbers(kinds),
            filter=filter,
            context=feed_pb2.RequestContext(language=language, region=region, segments=segments),
            consent=consent_message(consent),
        )
        return history_of(self._call(self._feeds.GetHistory, request))

    def rank(
        self,
        items: Iterable[str],
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        language: str = "",
        current_item: str = "",
        recent_items: Iterable[str] = (),
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """`items` in the order that suits one person."""
        request = feed_pb2.RankRequest(
            subject=subject_of(user, session),
            item_ids=items,
            placement=placement,
            context=feed_pb2.RequestContext(language=language, current_item_id=current_item, recent_item_ids=recent_items),
            explain=explain,
            consent=consent_message(consent),
        )
        return feed_of(self._call(self._feeds.Rank, request))

    def search(
        self,
        query: str,
        *,
        user: str = "",
        session: str = "",
        placement: str = "",
        page_size: int = 0,
        filter: str = "",
        kinds: Iterable[ItemKind] = (),
        exclude: Iterable[str] = (),
        language: str = "",
        consent: Consent | None = None,
        explain: bool = False,
    ) -> Feed:
        """Items by what somebody typed, `query`: by words and names, however they are spelt, and by meaning; a little ordered by what the
        `user` or `session`, where one is given, likes."""
        request = feed_pb2.SearchRequest(
            query=query,
            subject=subject_of(user, session) if user or session else None,
            placement=placement,
            page_size=page_size,
            kinds=kind_numbers(kinds),
            filter=filter,
            exclude_item_ids=exclude,
            context=feed_pb2.RequestContext(language=language),
            consent=consent_message(consent),
            explain=explain,
        )
        return feed_of(self._call(self._feeds.Search, request))

    def _feed(self, request: feed_pb2.GetFeedRequest) -> Feed:
        answer = self._call(self._feeds.GetFeed, request)
        return feed_of(answer, answer.next_page_token, self._following(request))

    def _following(self, request: feed_pb2.GetFeedRequest) -> Callable[[str], Feed]:
        """Fetches later pages of the feed of `request`."""

        def follow(page_token: str) -> Feed:
            following = feed_pb2.GetFeedRequest()
            following.CopyFrom(request)
            following.page_token = page_token
            return self._feed(following)

        return follow

    # Events

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

    # Catalogue, generations and retention, on the operators' address

    def upsert_items(self, items: Iterable[Item]) -> catalog_pb2.UpsertItemsResponse:
        """Add or replace up to 1,000 items; one result each, in order."""
        return self._call(self._catalogue.UpsertItems, catalog_pb2.UpsertItemsRequest(items=[item_message(item) for item in items]))

    def get_items(self, item_ids: Iterable[str]) -> catalog_pb2.GetItemsResponse:
        """Read up to 1,000 items."""
        return self._call(self._catalogue.GetItems, catalog_pb2.GetItemsRequest(item_ids=item_ids))

    def set_state(self, item_ids: Iterable[str], state: ItemState) -> catalog_pb2.SetStateResponse:
        """Hide up to 1,000 items or set them live again."""
        request = catalog_pb2.SetStateRequest(item_ids=item_ids, state=types_pb2.ItemState.ValueType(state))
        return self._call(self._catalogue.SetState, request)

    def delete_items(self, item_ids: Iterable[str]) -> catalog_pb2.DeleteItemsResponse:
        """Delete up to 1,000 items."""
        return self._call(self._catalogue.DeleteItems, catalog_pb2.DeleteItemsRequest(item_ids=item_ids))

    def list_generations(self) -> Sequence[generation_pb2.Generation]:
        """All generations, newest first, without metrics and checks."""
        return self._call(self._generations.ListGenerations, generation_pb2.ListGenerationsRequest()).generations

    def get_generation(self, generation_id: str = "") -> generation_pb2.Generation:
        """One generation with its report; the active one by default."""
        return self._call(self._generations.GetGeneration, generation_pb2.GetGenerationRequest(generation_id=generation_id)).generation

    def activate_generation(self, generation_id: str, reason: str = "") -> generation_pb2.ActivateGenerationResponse:
        """Make a generation the serving one; a `reason` is needed where its gate refused it."""
        request = generation_pb2.ActivateGenerationRequest(generation_id=generation_id, reason=reason)
        return self._call(self._generations.ActivateGeneration, request)

    def rollback_generation(self, reason: str = "") -> generation_pb2.RollbackGenerationResponse:
        """Go back to the generation that was active before."""
        return self._call(self._generations.RollbackGeneration, generation_pb2.RollbackGenerationRequest(reason=reason))

    def verify_generation(self, generation_id: str = "") -> generation_pb2.VerifyGenerationResponse:
        """Compare every file of a generation, the active one by default, with its manifest."""
        return self._call(self._generations.VerifyGeneration, generation_pb2.VerifyGenerationRequest(generation_id=generation_id))

    def diff_generations(self, before_id: str, after_id: str) -> generation_pb2.DiffGenerationsResponse:
        """Two generations side by side."""
        request = generation_pb2.DiffGenerationsRequest(before_id=before_id, after_id=after_id)
        return self._call(self._generations.DiffGenerations, request)

    def prune_generations(self, keep: int, *, dry_run: bool = False) -> Sequence[str]:
        """Remove all but the newest `keep` generations, the active one and the one to go back to; the ids of those that go."""
        request = generation_pb2.PruneGenerationsRequest(keep=keep, dry_run=dry_run)
        return self._call(self._generations.PruneGenerations, request).removed_ids

    def watch_build(self) -> Iterator[generation_pb2.WatchBuildResponse]:
        """How far the newest build is, at once and whenever that has changed; the last one says how it ended.

        The server lets no stream grow old: it is asked again from where it ended, for as long as the build takes.
        """
        request = generation_pb2.WatchBuildRequest()
        while True:
            try:
                for seen in self._generations.WatchBuild(request, timeout=STREAM_S):
                    yield seen
                    if seen.state != generation_pb2.BUILD_STATE_RUNNING:
                        return
                    request = generation_pb2.WatchBuildRequest(build=seen.build, after_sequence=seen.sequence)
            except grpc.RpcError as error:
                if not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.CANCELLED:
                    raise failure_of(error) from error
                time.sleep(HEALTH_PAUSE_S)

    def preview_retention(self) -> retention_pb2.PreviewRetentionResponse:
        """What would go now by the rules of the server's settings. Changes nothing."""
        return self._call(self._retention.PreviewRetention, retention_pb2.PreviewRetentionRequest(), RETENTION_S)

    def apply_retention(self) -> Iterator[retention_pb2.ApplyRetentionResponse]:
        """Let go what is due, some seconds of work with each answer, until all is done. May be left off at any answer, and begun again."""
        complete = False
        while not complete:
            answer = self._call(self._retention.ApplyRetention, retention_pb2.ApplyRetentionRequest(), RETENTION_S)
            complete = answer.complete
            yield answer

    def explain_decision(self, *, token: str = "", decision_id: str = "", item: str = "") -> decision_pb2.ExplainDecisionResponse:
        """Stage by stage, how an `item` came into a decision, or what kept it out; with a `token` alone the item of the token."""
        request = decision_pb2.ExplainDecisionRequest(item_id=item, **_one_of(token, decision_id))
        return self._call(self._decisions.ExplainDecision, request, EXPLANATION_S)

    def replay_decision(self, *, token: str = "", decision_id: str = "") -> decision_pb2.ReplayDecisionResponse:
        """A decision made again from its record, beside that."""
        return self._call(self._decisions.ReplayDecision, decision_pb2.ReplayDecisionRequest(**_one_of(token, decision_id)), EXPLANATION_S)

    @property
    def _decisions(self) -> decision_pb2_grpc.DecisionServiceStub:
        return decision_pb2_grpc.DecisionServiceStub(self._admin())

    @property
    def _catalogue(self) -> catalog_pb2_grpc.CatalogServiceStub:
        return catalog_pb2_grpc.CatalogServiceStub(self._admin())

    @property
    def _generations(self) -> generation_pb2_grpc.GenerationServiceStub:
        return generation_pb2_grpc.GenerationServiceStub(self._admin())

    @property
    def _retention(self) -> retention_pb2_grpc.RetentionServiceStub:
        return retention_pb2_grpc.RetentionServiceStub(self._admin())

    def _admin(self) -> grpc.Channel:
        if self._admin_channel is None:
            raise ValueError("items, generations, decisions and retention are kept on the operators' address: give admin_target")
        return self._admin_channel

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout_s: float | None = None) -> Response:
        end = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        for further in reversed(range(TRIES)):
            try:
                return method(request, timeout=max(end - time.monotonic(), 0))
            except grpc.RpcError as error:
                delay = retry_after_of(error)
                if delay is not None:
                    delay *= 1 + RETRY_SPREAD * random.random()
                if not further or delay is None or time.monotonic() + delay >= end:
                    raise failure_of(error) from error
            time.sleep(delay)
        raise AssertionError("the last try raises")


def _one_of(token: str, decision_id: str) -> dict[str, str]:
    """The one of the two that is given. Raises ValueError for both or neither."""
    if bool(token) == bool(decision_id):
        raise ValueError("give either token or decision_id")
    return {"token": token} if token else {"decision_id": decision_id}
