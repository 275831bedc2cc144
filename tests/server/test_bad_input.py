"""Every field that a front end or operator can get wrong is named, with what was given and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from recommender.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    event_pb2,
    event_pb2_grpc,
    feed_pb2,
    feed_pb2_grpc,
    generation_pb2,
    generation_pb2_grpc,
    types_pb2,
)

if TYPE_CHECKING:
    from tests.server.conftest import Deployment

ANN = types_pb2.Subject(user_id="ann")
LONG = "x" * 257
BELL = "a\x07b"

FEED_LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"placement": "attic"}, "no placement 'attic'; there are: home"),
    ({"page_size": -1}, "page_size: given -1, allowed: 1 to 100"),
    ({"page_size": 101}, "page_size: given 101"),
    ({"exclude_item_ids": ["a"] * 1001}, "exclude_item_ids: given '1001 ids', allowed: at most 1000"),
    ({"exclude_item_ids": ["a", ""]}, "exclude_item_ids[1]: given ''"),
    ({"kinds": [0]}, "kinds[0]: given 0, allowed: ARTICLE (1), PRODUCT (2), MEDIA (3)"),
    ({"kinds": [2, 9]}, "kinds[1]: given 9"),
    ({"filter": "x" * 2001}, "filter: given '2001 characters', allowed: at most 2000"),
    ({"filter": "price >"}, "filter: given 'price >"),
    ({"filter": "colour == 'red'"}, "colour"),
    ({"context": feed_pb2.RequestContext(language="x" * 201)}, "context.language: given"),
]
CONTEXT: list[tuple[dict[str, Any], str]] = [
    ({"context": feed_pb2.RequestContext(current_item_id=LONG)}, "context.current_item_id: given"),
    ({"context": feed_pb2.RequestContext(recent_item_ids=["a"] * 201)}, "context.recent_item_ids: given '201 ids', allowed: at most 200"),
    ({"context": feed_pb2.RequestContext(recent_item_ids=["a", BELL])}, "context.recent_item_ids[1]: given"),
]
SUBJECTS: list[tuple[dict[str, Any], str]] = [
    ({"subject": types_pb2.Subject(user_id="")}, "subject.user_id: given '', allowed: 1 to 256"),
    ({"subject": types_pb2.Subject(session_id=LONG)}, "subject.session_id: given"),
    ({"subject": types_pb2.Subject(user_id=BELL)}, "subject.user_id: given 'a\\x07b'"),
]
NOBODY: list[tuple[dict[str, Any], str]] = [
    ({"subject": None}, "subject: given 'nothing', allowed: user_id or session_id"),
    ({"subject": types_pb2.Subject()}, "subject: given 'nothing'"),
]


def refused(call: Any, request: Any) -> str:
    """The message with which `request` is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=20)
    error: Any = caught.value
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), error.details()
    details: str = error.details()
    return details


@pytest.fixture
def channels(live: Deployment) -> Any:
    addresses = live.server.addresses
    with grpc.insecure_channel(addresses.listen) as front, grpc.insecure_channel(addresses.admin_listen) as admin:
        yield front, admin


def test_feed_requests(channels: Any) -> None:
    stub = feed_pb2_grpc.FeedServiceStub(channels[0])
    cases = [*FEED_LIMITS, *CONTEXT, *SUBJECTS, *NOBODY, ({"page_token": "forged"}, "page_token: given")]
    for fields, message in cases:
        assert message in refused(stub.GetFeed, feed_pb2.GetFeedRequest(**{"subject": ANN, **fields}))


def test_similar_requests(channels: Any) -> None:
    stub = feed_pb2_grpc.FeedServiceStub(channels[0])
    cases = [
        *FEED_LIMITS,
        *SUBJECTS,
        ({"item_ids": []}, "item_ids: given 'none', allowed: 1 to 50 ids"),
        ({"item_ids": [], "negative_item_ids": ["comedy-01"]}, "item_ids: given 'none', allowed: 1 to 50 ids"),
        ({"item_ids": ["a"] * 51}, "item_ids: given '51 ids', allowed: at most 50"),
        ({"item_ids": [""]}, "item_ids[0]: given ''"),
        ({"negative_item_ids": ["b"] * 51}, "negative_item_ids: given '51 ids'"),
        ({"negative_item_ids": ["comedy-00"]}, "negative_item_ids: given 'comedy-00', allowed: ids that are not in item_ids"),
    ]
    for fields, message in cases:
        assert message in refused(stub.GetSimilar, feed_pb2.GetSimilarRequest(**{"item_ids": ["comedy-00"], **fields}))


def test_popular_requests(channels: Any) -> None:
    stub = feed_pb2_grpc.FeedServiceStub(channels[0])
    for fields, message in [*FEED_LIMITS, ({"category": "x" * 201}, "category: given")]:
        assert message in refused(stub.GetPopular, feed_pb2.GetPopularRequest(**fields))


def test_rank_requests(channels: Any) -> None:
    stub = feed_pb2_grpc.FeedServiceStub(channels[0])
    cases = [
        FEED_LIMITS[0],
        *CONTEXT,
        *SUBJECTS,
        *NOBODY,
        ({"item_ids": []}, "item_ids: given 'none', allowed: 1 to 500 ids"),
        ({"item_ids": ["a"] * 501}, "item_ids: given '501 ids', allowed: at most 500"),
        ({"item_ids": ["a", LONG]}, "item_ids[1]: given"),
    ]
    for fields, message in cases:
        assert message in refused(stub.Rank, feed_pb2.RankRequest(**{"subject": ANN, "item_ids": ["comedy-00"], **fields}))


def test_batches_of_a_wrong_size(channels: Any) -> None:
    front, admin = channels
    events, catalogue = event_pb2_grpc.EventServiceStub(front), catalog_pb2_grpc.CatalogServiceStub(admin)
    for count in (0, 1001):
        given = f"given '{count} of them', allowed: 1 to 1000"
        assert f"events: {given}" in refused(events.RecordEvents, event_pb2.RecordEventsRequest(events=[event_pb2.Event()] * count))
        assert f"items: {given}" in refused(catalogue.UpsertItems, catalog_pb2.UpsertItemsRequest(items=[types_pb2.Item()] * count))
        ids = ["a"] * count
        assert f"item_ids: {given}" in refused(catalogue.GetItems, catalog_pb2.GetItemsRequest(item_ids=ids))
        assert f"item_ids: {given}" in refused(catalogue.DeleteItems, catalog_pb2.DeleteItemsRequest(item_ids=ids))
        assert f"item_ids: {given}" in refused(catalogue.SetState, catalog_pb2.SetStateRequest(item_ids=ids, state=1))


def test_catalogue_requests(channels: Any) -> None:
    stub = catalog_pb2_grpc.CatalogServiceStub(channels[1])
    for state in (0, 3, 7):
        message = refused(stub.SetState, catalog_pb2.SetStateRequest(item_ids=["comedy-00"], state=state))
        assert f"state: given {state}, allowed: LIVE (1) or HIDDEN (2)" in message
    assert "item_ids[1]: given ''" in refused(stub.GetItems, catalog_pb2.GetItemsRequest(item_ids=["a", ""]))


def test_generation_requests(channels: Any) -> None:
    stub = generation_pb2_grpc.GenerationServiceStub(channels[1])
    get, activate = generation_pb2.GetGenerationRequest, generation_pb2.ActivateGenerationRequest
    assert "no generation 'other'; there are: 2026" in refused(stub.GetGeneration, get(generation_id="other"))
    assert "no generation '../generations'" in refused(stub.GetGeneration, get(generation_id="../generations"))
    assert "generation_id: given ''" in refused(stub.ActivateGeneration, activate())
    assert "no generation 'other'" in refused(stub.ActivateGeneration, activate(generation_id="other"))
    assert "reason: given '2001 characters'" in refused(stub.ActivateGeneration, activate(generation_id="x", reason="r" * 2001))
    assert "no generation before" in refused(stub.RollbackGeneration, generation_pb2.RollbackGenerationRequest())


EVENT: dict[str, Any] = {"id": "e", "type": 3, "subject": ANN, "item_id": "comedy-00"}
EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "events[1].id: given ''"),
    ({"type": 0}, "events[1].type: given 0, allowed: IMPRESSION (1)"),
    ({"type": 99}, "events[1].type: given 99"),
    ({"subject": None}, "events[1].subject: given 'nothing'"),
    ({"subject": types_pb2.Subject(user_id=LONG)}, "events[1].subject.user_id: given"),
    ({"item_id": ""}, "events[1].item_id: given ''"),
    ({"item_id": "nowhere"}, "events[1].item_id: given 'nowhere', allowed: the id of an item in the catalogue"),
    ({"at": Timestamp(seconds=10**13)}, "events[1].at: given '10000000000000 s and 0 ns'"),
    ({"at": Timestamp(seconds=1, nanos=2 * 10**9)}, "events[1].at: given"),
    ({"at": Timestamp(seconds=32_503_680_000)}, "events[1].at: given '3000-01-01"),
    ({"value": float("nan")}, "events[1].value: given nan, allowed: "),
    ({"type": 4, "portion": 1.5}, "events[1].portion: given 1.5, allowed: a number from 0 to 1"),
    ({"portion": 0.5}, "events[1].type: given 'click', allowed: read or watch"),
    ({"type": 5, "dwell_s": -1.0}, "events[1].dwell_s: given -1.0"),
    ({"custom": "wave"}, "events[1].custom: given 'wave'"),
    ({"type": 13}, "events[1].custom: given ''"),
    ({"token": "forged"}, "events[1].token: given"),
    ({"token": "x" * 1025}, "events[1].token: given"),
    ({"context": {"a": "x" * 201}}, "events[1].context: given"),
]


def test_a_bad_event_is_rejected_alone(channels: Any) -> None:
    stub = event_pb2_grpc.EventServiceStub(channels[0])
    for number, (fields, message) in enumerate(EVENTS):
        good = [event_pb2.Event(**{**EVENT, "id": f"good-{number}-{side}"}) for side in "ab"]
        bad = event_pb2.Event(**{**EVENT, "id": f"bad-{number}", **fields})

        answer = stub.RecordEvents(event_pb2.RecordEventsRequest(events=[good[0], bad, good[1]]), timeout=20)

        assert [result.event_id for result in answer.results] == [good[0].id, bad.id, good[1].id]
        assert [result.status for result in answer.results] == [1, 3, 1], message
        assert (answer.accepted, answer.duplicates, answer.rejected) == (2, 0, 1)
        assert message in answer.results[1].message


ITEM: dict[str, Any] = {"id": "new", "kind": 3}
ITEMS: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "items[1].id: given ''"),
    ({"kind": 0}, "items[1].kind: given 0, allowed: ARTICLE (1), PRODUCT (2), MEDIA (3)"),
    ({"title": "x" * 2001}, "items[1].title: given"),
    ({"text": "x" * 200_001}, "items[1].text: given"),
    ({"language": "x" * 201}, "items[1].language: given"),
    ({"categories": ["a", ""]}, "items[1].categories: given ''"),
    ({"tags": ["x"] * 101}, "items[1].tags: given"),
    ({"published_at": Timestamp(seconds=-(10**13))}, "items[1].published_at: given"),
    ({"valid_from": Timestamp(seconds=10), "valid_to": Timestamp(seconds=10)}, "items[1].valid_to: given"),
    ({"price": -1.0}, "items[1].price: given -1.0"),
    ({"embedding": [0.0, 0.0]}, "items[1].embedding: given"),
    ({"attributes": {"9": types_pb2.AttributeValue(flag=True)}}, "items[1].attributes: given '9'"),
    ({"attributes": {"a": types_pb2.AttributeValue()}}, "items[1].attributes.a: given 'nothing'"),
    ({"attributes": {"a": types_pb2.AttributeValue(number=float("inf"))}}, "items[1].attributes.a: given inf"),
]


def test_a_bad_item_is_rejected_alone(channels: Any) -> None:
    stub = catalog_pb2_grpc.CatalogServiceStub(channels[1])
    for number, (fields, message) in enumerate(ITEMS):
        good = [types_pb2.Item(**{**ITEM, "id": f"good-{number}-{side}"}) for side in "ab"]

        answer = stub.UpsertItems(
            catalog_pb2.UpsertItemsRequest(items=[good[0], types_pb2.Item(**{**ITEM, **fields}), good[1]]), timeout=20
        )

        assert [result.status for result in answer.results] == [1, 4, 1], message
        assert message in answer.results[1].message
