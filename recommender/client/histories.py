"""Lists from one's own history, as the client gives them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from recommender.client.answers import Feed, FeedItem, feed_of
from recommender.events import EventType
from recommender.v1 import feed_pb2


@dataclass(frozen=True)
class HistoryEntry:
    """One item of a list, when the person last did with it what the list goes by, and what that was; `portion`: how much of it, 0 to 1,
    they had read or watched then, None where that is not known; `times`: on how many occasions they had it."""

    item: FeedItem
    last_at: datetime
    last_type: EventType
    portion: float | None
    times: int


@dataclass(frozen=True)
class History:
    """A list: its entries in their order, and what comes with every answer in `feed`."""

    entries: tuple[HistoryEntry, ...]
    feed: Feed


def history_of(answer: feed_pb2.GetHistoryResponse) -> History:
    """The answer as a data class."""
    feed = feed_of(answer)
    entries = tuple(
        HistoryEntry(
            item,
            said.last_at.ToDatetime(tzinfo=UTC),
            EventType(said.last_type),
            said.portion if said.HasField("portion") else None,
            said.times,
        )
        for item, said in zip(feed.items, answer.consumptions, strict=True)
    )
    return History(entries, feed)
