"""What calls answer, as data classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from recommender.feeds import Basis, Degradation, Placing, SourceName
from recommender.items import ItemKind
from recommender.v1 import feed_pb2, types_pb2


@dataclass(frozen=True)
class Contribution:
    """What one source added to a score. `rank`: its rank for the item, from 1; 0 for no opinion."""

    source: SourceName
    rank: int
    part: float


@dataclass(frozen=True)
class FeedItem:
    """One item of an answer. `token` goes back unchanged with every event about the item. `placing`: what put it at its place."""

    id: str
    kind: ItemKind
    title: str
    image_url: str
    score: float
    reason: str
    because: tuple[str, ...]
    token: str
    explanation: tuple[Contribution, ...]
    placing: Placing


@dataclass(frozen=True)
class Feed:
    """One answer: items, best first, and what comes with every answer. `next_page_token` is "" on the last page."""

    items: tuple[FeedItem, ...]
    decision_id: str
    generation_id: str
    basis: Basis
    placement: str
    placement_version: str
    degraded: tuple[Degradation, ...]
    unknown_item_ids: tuple[str, ...]
    retrieval_mode: str
    eligible_items: int
    broken_rules: tuple[str, ...] = ()
    next_page_token: str = ""
    follow: Callable[[str], Feed] | None = field(default=None, repr=False, compare=False)
    """Fetches the page of a token of this feed."""

    def next_page(self) -> Feed | None:
        """The page after this one; None after the last."""
        return self.follow(self.next_page_token) if self.follow is not None and self.next_page_token else None

    def pages(self) -> Iterator[Feed]:
        """This page and all that follow, each fetched when it is its turn."""
        page: Feed | None = self
        while page is not None:
            yield page
            page = page.next_page()


def feed_of(
    answer: feed_pb2.GetFeedResponse
    | feed_pb2.GetSimilarResponse
    | feed_pb2.GetPopularResponse
    | feed_pb2.GetHistoryResponse
    | feed_pb2.RankResponse
    | feed_pb2.SearchResponse,
    next_page_token: str = "",
    follow: Callable[[str], Feed] | None = None,
) -> Feed:
    """The answer as a data class."""
    info = answer.info
    return Feed(
        items=tuple(_item(item) for item in answer.items),
        decision_id=info.decision_id,
        generation_id=info.generation_id,
        basis=Basis(info.basis),
        placement=info.placement,
        placement_version=info.placement_version,
        degraded=tuple(Degradation(entry.what, entry.why) for entry in info.degraded),
        unknown_item_ids=tuple(info.unknown_item_ids),
        retrieval_mode=info.retrieval_mode,
        eligible_items=info.eligible_items,
        broken_rules=tuple(info.broken_rules),
        next_page_token=next_page_token,
        follow=follow,
    )


def _item(item: types_pb2.RankedItem) -> FeedItem:
    return FeedItem(
        id=item.item_id,
        kind=ItemKind(item.kind),
        title=item.title,
        image_url=item.image_url,
        score=item.score,
        reason=item.reason.text,
        because=tuple(item.reason.because_item_ids),
        token=item.token,
        explanation=tuple(Contribution(SourceName(part.source), part.rank, part.contribution) for part in item.explanation),
        placing=Placing(item.placing),
    )
