"""Queries of late, with which a new generation is made ready before it serves: the filters and histories that the next ones will have."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from recommender.feeds import Query

KEPT = 32
"""Queries that are kept, each with another filter or of another kind than the others."""


class RecentQueries:
    """The last query of each kind: by its filter, kinds, language, category, placement and sources, and whether it is a search.

    At most `KEPT` of them.
    """

    def __init__(self) -> None:
        self._queries: OrderedDict[Hashable, Query] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, query: Query) -> None:
        """Keep `query` in the place of the one before of its kind."""
        kind = (query.filter, query.kinds, query.language, query.category, query.placement.name, query.sources, bool(query.text))
        with self._lock:
            self._queries[kind] = query
            self._queries.move_to_end(kind)
            if len(self._queries) > KEPT:
                self._queries.popitem(last=False)

    def newest_first(self) -> list[Query]:
        """What is kept."""
        with self._lock:
            return list(reversed(self._queries.values()))
