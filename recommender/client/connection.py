"""The client: one method for each call of the contract."""

from __future__ import annotations

from recommender.client.event_calls import EventCalls
from recommender.client.feed_calls import FeedCalls
from recommender.client.operator_calls import OperatorCalls


class Client(FeedCalls, EventCalls, OperatorCalls):
    """A connection to one server, to be shared by all threads. Every call takes at most `timeout_s` seconds, retries included, but for
    those about retention, which look through the whole store.

    A call that an overloaded server turns away is tried again after the delay that it asks for, where there is time for that.

    `target` is the front ends' address, `admin_target` the operators', needed for items, generations, decisions, retention. Calls raise
    `ClientError`.
    """
