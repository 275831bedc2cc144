"""Several feeds that are asked for together."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.items import ItemKind
from recommender.v1 import feed_pb2, types_pb2


@dataclass(frozen=True)
class Slate:
    """One of them: `page_size` items at a `placement`, "" for the first one and 0 for its own size, of some kinds and by a filter."""

    placement: str = ""
    page_size: int = 0
    kinds: tuple[ItemKind, ...] = ()
    filter: str = ""

    def message(self) -> feed_pb2.Slate:
        """As it is sent."""
        kinds = [types_pb2.ItemKind.ValueType(kind) for kind in self.kinds]
        return feed_pb2.Slate(placement=self.placement, page_size=self.page_size, kinds=kinds, filter=self.filter)


def page_of_slate(request: feed_pb2.GetSlatesRequest, slate: feed_pb2.Slate) -> feed_pb2.GetFeedRequest:
    """What later pages of one of the slates of `request` are asked for by."""
    asked = feed_pb2.GetFeedRequest(
        subject=request.subject,
        placement=slate.placement,
        context=request.context,
        page_size=slate.page_size,
        exclude_item_ids=request.exclude_item_ids,
        kinds=slate.kinds,
        filter=slate.filter,
        explain=request.explain,
    )
    if request.HasField("consent"):
        asked.consent.CopyFrom(request.consent)
    return asked
