"""The histories that asked lately, with what sources made of them: a page asks for several feeds, and regulars come again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings
from recommender.sources import Past

KEPT, KEPT_OF_ONCE = 64, 16
"""Histories that are kept, of those that asked more than once and of others: so whoever asks but once does not drive regulars out. Each
takes up to a quarter of a megabyte."""


class RecentPasts:
    """The last different histories of one generation, by what they hold and not by whose they are. Safe for many threads."""

    def __init__(self, catalogue: Catalogue, settings: BuildSettings) -> None:
        self._catalogue, self._settings = catalogue, settings
        self._once: OrderedDict[bytes, Past] = OrderedDict()
        self._again: OrderedDict[bytes, Past] = OrderedDict()
        self._lock = Lock()

    def of(self, query: Query) -> Past:
        """The history of `query`; another query of the same history gets the very same one, unless it is a list of given items, whose
        whole feed is kept."""
        if not len(query.history) or query.seeds_are_items:
            return Past.of(query, self._catalogue, self._settings)
        key = query.history.tobytes()
        with self._lock:
            if key in self._again:
                self._again.move_to_end(key)
                return self._again[key]
            if key in self._once:
                past = self._again[key] = self._once.pop(key)
                while len(self._again) > KEPT:
                    self._again.popitem(last=False)
                return past
        past = Past.of(query, self._catalogue, self._settings)
        with self._lock:
            self._once[key] = past
            while len(self._once) > KEPT_OF_ONCE:
                self._once.popitem(last=False)
        return past

    def is_of_a_regular(self, query: Query) -> bool:
        """Whether the history of `query` asked more than once."""
        return query.history.tobytes() in self._again
