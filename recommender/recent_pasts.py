"""The histories that asked lately, with what sources made of them: a page asks for several feeds, and regulars come again."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Protocol

from recommender.feeds import Query
from recommender.profile import BuildSettings
from recommender.sources import Past
from recommender.sources.past import RowsByNumber

KEPT, KEPT_OF_ONCE = 64, 16
"""Histories that are kept, of those that asked more than once and of others: so whoever asks but once does not drive regulars out."""
EVENTS, EVENTS_OF_ONCE = 4_000, 800
"""Events of all of them together: what sources made of one takes some five to seven kilobytes."""


class _Newest:
    """Histories in the order in which they were last asked for: at most so many, and no more than so many events, but for the newest."""

    def __init__(self, most: int, events: int) -> None:
        self._most, self._events = most, events
        self._pasts: OrderedDict[bytes, Past] = OrderedDict()
        self._held = 0

    def get(self, key: bytes) -> Past | None:
        """The history of `key`, which is the newest then."""
        past = self._pasts.get(key)
        if past is not None:
            self._pasts.move_to_end(key)
        return past

    def take(self, key: bytes) -> Past | None:
        """The history of `key`, which is not kept here any more."""
        past = self._pasts.pop(key, None)
        self._held -= 0 if past is None else len(past)
        return past

    def keep(self, key: bytes, past: Past) -> None:
        """Keep a history in the place of the oldest ones."""
        self.take(key)
        self._pasts[key] = past
        self._held += len(past)
        while len(self._pasts) > 1 and (len(self._pasts) > self._most or self._held > self._events):
            self.take(next(iter(self._pasts)))


class Pasts(Protocol):
    """Makes histories of queries."""

    def of(self, query: Query) -> Past:
        """The history of `query`."""
        ...

    def is_of_a_regular(self, query: Query) -> bool:
        """Whether the history of `query` asked more than once."""
        ...


class RecentPasts:
    """The last different histories of one generation, by what they hold and not by whose they are. Safe for many threads."""

    def __init__(self, catalogue: RowsByNumber, settings: BuildSettings) -> None:
        self._catalogue, self._settings = catalogue, settings
        self._once, self._again = _Newest(KEPT_OF_ONCE, EVENTS_OF_ONCE), _Newest(KEPT, EVENTS)
        # Also of those whose histories are too long to be kept all: whoever comes again is known by it for longer.
        self._regulars: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def of(self, query: Query) -> Past:
        """The history of `query`; another query of the same history gets the very same one, unless it is a list of given items, whose
        whole feed is kept."""
        if not len(query.history) or query.seeds_are_items:
            return Past.of(query, self._catalogue, self._settings)
        key = query.history.tobytes()
        with self._lock:
            past = self._again.get(key)
            if past is None:
                past = self._once.take(key)
                if past is not None:
                    self._regulars[key] = None
                    self._again.keep(key, past)
            if past is not None:
                self._regulars.move_to_end(key)
                while len(self._regulars) > KEPT:
                    self._regulars.popitem(last=False)
                return past
        past = Past.of(query, self._catalogue, self._settings)
        with self._lock:
            if key in self._regulars:
                self._regulars.move_to_end(key)
                self._again.keep(key, past)
            else:
                self._once.keep(key, past)
        return past

    def is_of_a_regular(self, query: Query) -> bool:
        """Whether the history of `query` asked more than once."""
        return query.history.tobytes() in self._regulars
