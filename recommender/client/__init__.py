"""A Python client of the server: plain arguments in, data classes out, one exception tree for what can go wrong.

::

    with Client("127.0.0.1:50051") as client:
        feed = client.get_feed(user="42", page_size=10)
        for item in feed.items:
            print(item.title, "-", item.reason)
        first = feed.items[0]
        client.record([Event(id="e1", type=EventType.CLICK, subject=Subject.user("42"), item_id=first.id, token=first.token)])
"""

from recommender.client.answers import Contribution, Feed, FeedItem
from recommender.client.connection import Client
from recommender.client.failures import ClientError, DeadlinePassed, InvalidArgument, Missing, Overloaded, Refused, Unavailable
from recommender.client.histories import History, HistoryEntry
from recommender.client.slates import Slate
from recommender.history_lists import HistoryList

__all__ = [
    "Client",
    "ClientError",
    "Contribution",
    "DeadlinePassed",
    "Feed",
    "FeedItem",
    "History",
    "HistoryEntry",
    "HistoryList",
    "InvalidArgument",
    "Missing",
    "Overloaded",
    "Refused",
    "Slate",
    "Unavailable",
]
