"""Feeds that were made lately: whoever asks the very same again within the minute gets the very same.

What does not depend on who asks, newcomers' feeds, what is popular, what is like an item, is asked for by many; regulars come back to
where they were. Another event, another change of the catalogue or another minute makes another feed. Where chance has a say in it, what
it was drawn from is kept instead, and drawn from anew.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Generic, TypeVar

from recommender.feeds import Query
from recommender.placements import Placement

KEPT_FEEDS = 500
"""Feeds that are kept, of some 20 kB each."""
KEPT_RANKINGS = 200
"""Rankings that are kept, of some 60 kB each."""

Key = tuple[object, ...]
Made = TypeVar("Made")


class Recent(Generic[Made]):
    """The last so many different feeds, or rankings, of one engine. Safe for many threads.

    What is kept was made for a moment of the same minute as the one that it is asked for again, between the same two moments at which the
    validity of some item begins or ends.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # With its placement, which would otherwise be told from another one by where it lies in memory, and might be gone.
        self._made: OrderedDict[Key, tuple[Placement, Made]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Key) -> Made | None:
        """What was made for `key`, None where nothing is kept."""
        with self._lock:
            if key not in self._made:
                return None
            self._made.move_to_end(key)
            return self._made[key][1]

    def keep(self, key: Key, placement: Placement, made: Made) -> None:
        """Keep what was made for `key`, of a query of this placement."""
        with self._lock:
            self._made[key] = placement, made
            while len(self._made) > self._most:
                self._made.popitem(last=False)


def is_for_anybody(query: Query) -> bool:
    """Whether the feed of a query does not depend on who asks: no history, nothing consumed or dismissed, nothing that it names."""
    if query.consumed or query.dismissed or query.exclude or query.candidates is not None:
        return False
    return query.seeds_are_items or not len(query.history)


def key_of(query: Query, now: datetime, validities_passed: int, rules: tuple[str, ...], owner: str) -> Key | None:
    """By what the feed of a query is kept, at a moment before which so many validities had begun or ended, by `rules` of these names, less
    what is of an `owner`, "" where nothing is.

    None for a query that names the items to rank, and for one without a history that is somebody's all the same, as few ask those again.
    """
    whose: object = None
    if not is_for_anybody(query):
        if query.candidates is not None or not len(query.history):
            return None
        whose = (query.history.tobytes(), query.consumed.serialize(), query.dismissed.serialize(), query.exclude)
    elif len(query.history):
        # Given items are told by what and how, not when.
        whose = (query.history["item"].tobytes(), query.history["type"].tobytes())
    minute = now.replace(second=0, microsecond=0)
    trend = None if query.trend is None else (query.trend.key, query.trend.asked)
    limits = (query.kinds, query.language, query.region, query.filter, query.category, query.muted, owner)
    wanted = (query.size, query.sources, query.reasons, trend, limits)
    # A ranking is of before anything gives way.
    discounted = query.is_for_a_feed and query.placement.impressions.discount > 0 and not query.goes_by_chance
    seen = query.seen.tobytes() if discounted else b""
    return (id(query.placement), whose, query.seeds_are_items, wanted, rules, seen, minute, validities_passed)
