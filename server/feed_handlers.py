"""How feeds are offered: requests are parsed by protobuf, while answers come as the bytes that are sent."""

from __future__ import annotations

from typing import Any

import grpc

from recommender.v1 import feed_pb2
from server.feed_service import FeedService

FEED = "recommender.v1.FeedService"

REQUESTS = {
    "GetFeed": feed_pb2.GetFeedRequest.FromString,
    "GetSlates": feed_pb2.GetSlatesRequest.FromString,
    "GetSimilar": feed_pb2.GetSimilarRequest.FromString,
    "GetPopular": feed_pb2.GetPopularRequest.FromString,
    "GetHistory": feed_pb2.GetHistoryRequest.FromString,
    "Rank": feed_pb2.RankRequest.FromString,
    "Search": feed_pb2.SearchRequest.FromString,
}
"""How what each method is asked with is read."""


def add_feeds(feeds: FeedService, server: grpc.Server) -> None:
    """Offer the methods of `feeds` as the service `FEED`."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, bytes]] = {
        name: grpc.unary_unary_rpc_method_handler(getattr(feeds, name), request_deserializer=request) for name, request in REQUESTS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(FEED, handlers),))
    server.add_registered_method_handlers(FEED, handlers)
