"""Reasons: why an item is shown, computed from what moved its score, and put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recommender.author_reasons import from_authors
from recommender.cause_kernels import leaders, put_causes, told
from recommender.events import EventType
from recommender.feeds import PERSONAL_SOURCES, Query, Reason, ReasonKind, Reasons, SourceName, Trending
from recommender.sources import Causes, Past, Scorer, Source
from recommender.trends import STANDING, Trend, TrendSource, popular_text, when

if TYPE_CHECKING:
    from recommender.engine import Recommender

_VERBS = {
    EventType.VIEW: "looked at",
    EventType.CLICK: "clicked",
    EventType.READ: "read",
    EventType.WATCH: "watched",
    EventType.LIKE: "liked",
    EventType.SAVE: "saved",
    EventType.SHARE: "shared",
    EventType.CART: "put in your cart",
    EventType.PURCHASE: "bought",
}


_AGAIN = {EventType.READ: "Read again", EventType.WATCH: "Watch or listen again", EventType.PURCHASE: "Buy again"}
"""What is said of something that is due again, by how it was had last."""


_POPULAR = int(SourceName.POPULAR)
_PERSONAL = np.isin(np.arange(max(SourceName) + 1), list(PERSONAL_SOURCES))
"""By the number of a source, whether it goes by history."""
_BY_HISTORY: list[bool] = _PERSONAL.tolist()
"""The same for loops in Python, which ask a list sooner than an array."""


def reasons_for(
    recommender: Recommender,
    query: Query,
    past: Past,
    rows: npt.NDArray[np.int32],
    contributions: npt.NDArray[np.float32],
    scorers: Mapping[int, Scorer],
) -> Reasons:
    """Reasons of `rows`, shape (r,), all different, -1 for what is not in the generation, from what each source added to their scores,
    shape (r, s).

    The source that added most gives the reason; where it is one that goes by history but nothing in the history spoke for
    the item, the next one does.
    """
    left, sources, causes = contributions.copy(), np.full(len(rows), _POPULAR, dtype=np.uint8), Causes.none(len(rows))
    h = len(past)
    while True:
        order, led, ends = leaders(left, rows, causes.counts)
        if not len(order):
            break
        start = 0
        for place, end in enumerate(ends.tolist()):
            if end == start:
                continue
            # Plain numbers: arrays take enumerations slowly.
            number, at, due, start = place + 1, order[start:end], led[start:end], end
            if not _BY_HISTORY[number]:
                sources[at], left[at] = number, 0
            elif h == 1 and place in scorers:
                # What speaks for an item speaks by the one thing there is.
                sources[at], causes.counts[at], causes.shares[at] = number, 1, 1
            elif h and place in scorers:
                # Each source explains all its items in one call.
                put_causes(*causes, sources, at, number, *scorers[place].causes(due))
    seeds, none = query.seeds_are_items, past.types[:0]
    kinds, sources, events, because = told(
        sources,
        causes.places,
        causes.counts,
        rows,
        past.numbers,
        none if seeds else past.types,
        recommender.facts.popularity,
        # A plain number: enumerations are slow to hand to a compiled loop.
        int(ReasonKind.SIMILAR_TO_SEED if seeds else ReasonKind.BECAUSE_OF_HISTORY),
        _PERSONAL,
    )
    made = Reasons(kinds, sources, events, because, causes.shares, query.category)
    if query.trend is not None:
        made = _by_trend(made, query.trend, rows, recommender.sources[_POPULAR - 1])
    return made if seeds else from_authors(made, past, rows, recommender.catalogue)


def _by_trend(reasons: Reasons, trend: Trend, rows: npt.NDArray[np.int32], source: Source) -> Reasons:
    """The `reasons` of `rows`, which say of what is popular whether it is so by the trend that the `source` ranks by."""
    if not isinstance(source, TrendSource):
        return reasons
    levels = np.where(rows >= 0, source.levels[rows], np.uint8(STANDING))
    # What was never counted before may trend now.
    trending = (levels != STANDING) & (reasons.sources == _POPULAR)
    kinds = np.where(trending, np.uint8(ReasonKind.POPULAR), reasons.kinds)
    return replace(reasons, kinds=kinds, trends=trend.trending, levels=levels)


def reason_text(reason: Reason, titles: Mapping[int, str]) -> str:
    """The reason as an English sentence; `titles` by item number, of which those of `because` are looked up."""
    if reason.kind is ReasonKind.POPULAR:
        return popular_sentence(reason.category, reason.trending)
    name = reason.author
    if reason.kind in (ReasonKind.BECAUSE_OF_HISTORY, ReasonKind.SIMILAR_TO_SEED) and reason.because:
        name = titles.get(reason.because[0], "")
    return reason_phrase(reason.kind, reason.event, named=bool(name)) + name


def popular_sentence(category: str, trending: Trending | None) -> str:
    """Why an item is there for being popular, in a `category`, "" for all, and by a trend, None for without."""
    if trending is None:
        return f"Popular in {category}" if category else "Popular now"
    return popular_text(category, trending.region_name, trending.segment_name, when(trending.window_us))


def reason_phrase(kind: ReasonKind, event: int, *, named: bool) -> str:
    """The sentence of a reason up to the name at its end, or all of it where nothing is `named`; of one that is not for being popular."""
    match kind:
        case ReasonKind.FRESH:
            return "New"
        case ReasonKind.FILL:
            return "More to explore"
        case ReasonKind.PROMOTED:
            return "Promoted"
        case ReasonKind.MATCHES_TITLE:
            return "Title matches your search"
        case ReasonKind.MATCHES_QUERY:
            return "Matches your search"
        case ReasonKind.NEW_FROM_AUTHOR:
            return "New from an author you follow" + (": " if named else "")
        case ReasonKind.CONSUMED:
            return f"You {_VERBS[EventType(event)]} this" if event in _VERBS else "You had this"
        case ReasonKind.STARTED:
            return f"Continue {'reading' if event == EventType.READ else 'watching or listening'}"
        case ReasonKind.DUE:
            return _AGAIN.get(EventType(event), "Again") if event else "Again"
        case ReasonKind.SIMILAR_TO_SEED:
            return "Similar to " if named else "Similar"
    if not named:
        return "Because of your history"
    verb = _VERBS.get(EventType(event)) if event else None
    return f"Because you {verb} " if verb else "Because of "
