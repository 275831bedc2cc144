"""Reasons: why an item is shown, computed from what moved its score, and put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recommender.events import EventType
from recommender.feeds import PERSONAL_SOURCES, Query, Reason, ReasonKind, SourceName
from recommender.sources import NO_CAUSE, Cause, Past, Scorer

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


def reasons_for(
    recommender: Recommender,
    query: Query,
    past: Past,
    numbers: npt.NDArray[np.uint32],
    contributions: npt.NDArray[np.float32],
    scorers: Mapping[int, Scorer],
) -> tuple[Reason, ...]:
    """Reasons of `numbers`, shape (r,), from what each source added to their scores, shape (r, s).

    The source that added most gives the reason; where it is one that goes by history but nothing in the history spoke for
    the item, the next one does.
    """
    rows = recommender.contents.catalogue.rows_of(numbers)
    given: list[Reason | None] = [None] * len(numbers)
    # Sources in order of what they added, per item; each source explains all its items in one call.
    order = np.argsort(-contributions, axis=1, kind="stable")
    open_places = np.flatnonzero(rows >= 0)
    kind = ReasonKind.SIMILAR_TO_SEED if query.seeds_are_items else ReasonKind.BECAUSE_OF_HISTORY
    items, types = past.numbers.tolist(), past.types.tolist()
    for choice in range(contributions.shape[1]):
        named = order[open_places, choice]
        open_places = open_places[contributions[open_places, named] > 0]
        for place in sorted(set(order[open_places, choice].tolist())):
            due = open_places[order[open_places, choice] == place]
            scorer = scorers.get(place)
            name = SourceName(place + 1)
            if scorer is None:
                causes = [NO_CAUSE] * len(due)
            elif len(past) == 1 and name in PERSONAL_SOURCES:
                # What speaks for an item speaks by the one thing there is.
                causes = [Cause((0,), 1.0)] * len(due)
            else:
                causes = scorer.causes(rows[due])
            for at, cause in zip(due.tolist(), causes, strict=True):
                given[at] = _reason(name, cause, kind, items, types)
        open_places = np.array([at for at in open_places.tolist() if given[at] is None], dtype=np.int64)
        if not len(open_places):
            break
    popular = (rows >= 0) & (recommender.contents.popularity[rows] > 0)
    return tuple(
        _impersonal(query, SourceName.POPULAR if reason is None else reason.source, popular=bool(popular[at]))
        if reason is None or reason.kind is ReasonKind.POPULAR
        else reason
        for at, reason in enumerate(given)
    )


def _reason(name: SourceName, cause: Cause, kind: ReasonKind, items: list[int], types: list[int]) -> Reason | None:
    """The reason that a source's `cause` is, of a history of `items` at events of `types`: of `kind` where it is personal."""
    if name is SourceName.FRESH:
        return Reason(ReasonKind.FRESH, name)
    if name in (SourceName.POPULAR, SourceName.RESPONSE):
        return Reason(ReasonKind.POPULAR, name)
    if not cause.places:
        return None
    event = types[cause.places[0]] if kind is ReasonKind.BECAUSE_OF_HISTORY else 0
    return Reason(kind, name, tuple([items[place] for place in cause.places]), cause.share, event)


def _impersonal(query: Query, source: SourceName, *, popular: bool) -> Reason:
    """The reason of an item that nothing personal spoke for; one that nobody ever consumed only completes the list."""
    return Reason(ReasonKind.POPULAR if popular else ReasonKind.FILL, source, category=query.category if popular else "")


def reason_text(reason: Reason, titles: Mapping[int, str]) -> str:
    """The reason as an English sentence; `titles` by item number, of which those of `because` are looked up."""
    if reason.kind in (ReasonKind.FRESH, ReasonKind.FILL):
        name = ""
    elif reason.kind is ReasonKind.POPULAR:
        name = reason.category
    else:
        name = titles.get(reason.because[0], "") if reason.because else ""
    return reason_phrase(reason.kind, reason.event, named=bool(name)) + name


def reason_phrase(kind: ReasonKind, event: int, *, named: bool) -> str:
    """The sentence of a reason up to the name at its end, or all of it where nothing is `named`."""
    match kind:
        case ReasonKind.FRESH:
            return "New"
        case ReasonKind.FILL:
            return "More to explore"
        case ReasonKind.POPULAR:
            return "Popular in " if named else "Popular now"
        case ReasonKind.SIMILAR_TO_SEED:
            return "Similar to " if named else "Similar"
    if not named:
        return "Because of your history"
    verb = _VERBS.get(EventType(event)) if event else None
    return f"Because you {verb} " if verb else "Because of "
