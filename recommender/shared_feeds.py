"""Feeds that do not depend on who asks: newcomers', what is popular, what is like an item. They are made once a minute and kept."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from threading import Lock

from recommender.feeds import Feed, Query
from recommender.placements import Placement

KEPT = 500
"""Feeds that are kept, of some 20 kB each."""

Key = tuple[object, ...]


class SharedFeeds:
    """The last `KEPT` different feeds of one engine that are for anybody. Safe for many threads.

    What is kept was made for a moment of the same minute as the one that it is asked for again, between the same two moments at which the
    validity of some item begins or ends.
    """

    def __init__(self) -> None:
        # With its placement, which would otherwise be told from another one by where it lies in memory, and might be gone.
        self._feeds: OrderedDict[Key, tuple[Placement, Feed]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Feed | None:
        """The feed of `key`, None where none is kept."""
        with self._lock:
            if key not in self._feeds:
                return None
            self._feeds.move_to_end(key)
            return self._feeds[key][1]

    def keep(self, key: Key, placement: Placement, feed: Feed) -> None:
        """Keep the feed of `key`, of a query of this placement."""
        with self._lock:
            self._feeds[key] = placement, feed
            while len(self._feeds) > KEPT:
                self._feeds.popitem(last=False)


def key_of(query: Query, now: datetime, validities_passed: int) -> Key | None:
    """By what the feed of a query is kept, at a moment before which so many validities had begun or ended.

    None for a query that is somebody's, by a history, by what was consumed or dismissed, or by what it names.
    """
    if query.consumed or query.dismissed or query.exclude or query.candidates is not None:
        return None
    if len(query.history) and not query.seeds_are_items:
        return None
    # Given items are told by what and how, not when.
    seeds = (query.history["item"].tobytes(), query.history["type"].tobytes()) if len(query.history) else None
    minute = now.replace(second=0, microsecond=0)
    wanted = (query.size, query.kinds, query.language, query.filter, query.category, query.sources, query.reasons)
    return (id(query.placement), seeds, query.seeds_are_items, wanted, minute, validities_passed)
