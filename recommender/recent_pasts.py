"""The histories that asked lately, with what sources made of them: a page asks for several feeds, and regulars come again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings
from recommender.sources import Past

KEPT = 48
"""Histories that are kept; each takes up to a quarter of a megabyte."""


class RecentPasts:
    """The last `KEPT` different histories of one generation, by what they hold and not by whose they are. Safe for many threads."""

    def __init__(self, catalogue: Catalogue, settings: BuildSettings) -> None:
        self._catalogue, self._settings = catalogue, settings
        self._pasts: OrderedDict[tuple[bytes, bool], Past] = OrderedDict()
        self._lock = Lock()

    def of(self, query: Query) -> Past:
        """The history of `query`; another query of the same history gets the very same one."""
        if not len(query.history):
            return Past.of(query, self._catalogue, self._settings)
        key = (query.history.tobytes(), query.seeds_are_items)
        with self._lock:
            if key in self._pasts:
                self._pasts.move_to_end(key)
                return self._pasts[key]
        past = Past.of(query, self._catalogue, self._settings)
        with self._lock:
            self._pasts[key] = past
            while len(self._pasts) > KEPT:
                self._pasts.popitem(last=False)
        return past
