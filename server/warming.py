"""Does once what the first requests would otherwise wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

import numpy as np

from recommender.columns import Columns
from recommender.composing.variety import Variety
from recommender.conditions import compile_condition
from recommender.engine import Recommender
from recommender.errors import RecommenderError
from recommender.events import EventType
from recommender.feeds import Basis, Query
from recommender.generation.catalogue import FILTER_FIELDS
from recommender.paging import DIGEST_SIZE
from recommender.people import HISTORY_DTYPE, History, empty_history
from recommender.placements import Placement
from recommender.times import to_micros
from recommender.tokens import KEY_BYTES_LEAST, TokenSigner
from server.answering import Decided, Shown, ranked_items

PLACEMENT = Placement(name="warming")
COMPOSED = Placement(name="composed", page_size=5, variety=Variety(strength=0.1))
"""One whose slates are not as they were ranked."""
SIGNER = TokenSigner([("warming", bytes(KEY_BYTES_LEAST))])
"""Signs what nobody is sent."""

CLICKS = 5
"""Of a history so long everything is made ready: one of a single item needs less."""
COSTLY_FIELDS = ("id", "title")
"""Fields with a text of its own for every item, which few filters name."""


def warm(engine: Recommender, now: datetime, recent: Sequence[Query] = (), pause: Callable[[], None] = lambda: None) -> None:
    """Make the columns that filters and categories go by, and whatever feeds with and without a history need, before it serves.

    `recent` are queries as they have come lately, whose filters and items the next ones will share. `pause` is called between two
    pieces of work.
    """
    catalogue = engine.contents.catalogue
    for name in FILTER_FIELDS:
        if name not in COSTLY_FIELDS:
            catalogue.columns.by_name[name]
            pause()
    catalogue.category_members  # noqa: B018
    for history in (empty_history(), _most_popular(engine, now)):
        pause()
        query = Query(PLACEMENT, PLACEMENT.page_size, history=history, reasons=PLACEMENT.page_size)
        [feed] = engine.feeds([query], now=now)
        decided = Decided(bytes(DIGEST_SIZE), PLACEMENT.name, "", engine.generation_id, Basis.CONTEXTUAL)
        ranked_items(engine, SIGNER, decided, Shown.first(feed, PLACEMENT.page_size), explain=False)
        # Reasons come from the sources that lead in this feed; in the first real one others may.
        pool = engine.pool(query, now=now)
        for scorer in pool.scorers.values():
            pause()
            scorer.causes(pool.rows[:1].copy())
    pause()
    engine.feeds([Query(COMPOSED, COMPOSED.page_size)], now=now)
    for query in recent:
        pause()
        # A filter may name an attribute that the new generation does not have.
        with suppress(RecommenderError):
            engine.feeds([query], now=now)


def warm_filters() -> None:
    """Import and build what every filter needs, once per process; it takes some .4 s."""
    compile_condition("true", Columns(0, {}))


def _most_popular(engine: Recommender, now: datetime) -> History:
    """Clicks on the most popular items, one after the other, as many as there are of `CLICKS`."""
    contents = engine.contents
    rows = np.argsort(-contents.popularity, kind="stable")[:CLICKS]
    history = np.zeros(len(rows), dtype=HISTORY_DTYPE)
    history["item"] = contents.catalogue.numbers[rows]
    history["type"] = EventType.CLICK
    history["value"] = np.nan
    history["at"] = to_micros(now) + np.arange(len(rows))
    return history
