"""The floor that every call of this server stands on: an empty method, a reply of thirty items that nobody has to work out, and a
refusal as an overloaded server gives it.

`recommender serve --floor` offers them beside the real services, behind the same interceptor and thread pool, so that a benchmark
can tell what a feed costs from what any reply costs.
"""

from __future__ import annotations

import grpc

from recommender.v1 import feed_pb2, types_pb2
from server.admission import RETRY_LEAST_S
from server.lanes import TurnedAway

FLOOR = "recommender.bench.Floor"
ITEMS = 30


def add_floor(server: grpc.Server) -> None:
    """Offer the methods `Empty`, `Canned` and `Shed` of the service `FLOOR`."""
    canned = canned_reply()
    handlers = {
        "Empty": grpc.unary_unary_rpc_method_handler(lambda request, context: b""),
        "Canned": grpc.unary_unary_rpc_method_handler(
            lambda request, context: canned,
            request_deserializer=feed_pb2.GetFeedRequest.FromString,
            response_serializer=feed_pb2.GetFeedResponse.SerializeToString,
        ),
        "Shed": grpc.stream_unary_rpc_method_handler(TurnedAway(RETRY_LEAST_S)),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(FLOOR, handlers),))


def canned_reply() -> feed_pb2.GetFeedResponse:
    """A reply as long as a real one."""
    item = types_pb2.RankedItem(
        item_id="item-1234567",
        kind=types_pb2.ITEM_KIND_ARTICLE,
        title="A title of about as many words as most of them have",
        score=0.5,
        reason=types_pb2.Reason(kind=types_pb2.REASON_KIND_POPULAR, text="Because you read another title of as many words"),
        token="t" * 120,
    )
    return feed_pb2.GetFeedResponse(
        items=[item] * ITEMS,
        next_page_token="t" * 600,
        info=types_pb2.AnswerInfo(
            decision_id="d" * 32, generation_id="20260101-000000-000000", placement="home", placement_version="v" * 12
        ),
    )
