"""Reasons: why an item is shown, computed from what moved its score, and put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.events import EventType
from recommender.feeds import PERSONAL_SOURCES, Query, Reason, ReasonKind, SourceName
from recommender.sources import Causes, Past, Scorer

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
    """Reasons of `numbers`, shape (r,), all different, from what each source added to their scores, shape (r, s).

    The source that added most gives the reason; where it is one that goes by history but nothing in the history spoke for
    the item, the next one does.
    """
    rows = recommender.contents.catalogue.rows_of(numbers)
    given: list[Reason | None] = [None] * len(numbers)
    teller = _Teller(query, past, recommender.contents.popularity)
    left, waiting = contributions.copy(), np.flatnonzero(rows >= 0)
    while len(waiting):
        leading = left[waiting].argmax(axis=1)
        spoken_for = left[waiting, leading] > 0
        waiting, leading = waiting[spoken_for], leading[spoken_for]
        left[waiting, leading] = 0
        unsettled: list[int] = []
        # Each source explains all its items in one call.
        for place in set(leading.tolist()):
            due = waiting[leading == place]
            for at, reason in zip(due.tolist(), teller.told(SourceName(place + 1), scorers.get(place), rows[due]), strict=True):
                given[at] = reason
                if reason is None:
                    unsettled.append(at)
        waiting = np.array(unsettled, dtype=np.int64)
    return tuple(
        [teller.impersonal(SourceName.POPULAR, row) if reason is None else reason for reason, row in zip(given, rows, strict=True)]
    )


class _Teller(NamedTuple):
    """What reasons are told from: a query, its history, and how popular items are, shape (n,)."""

    query: Query
    past: Past
    popularity: npt.NDArray[np.float32]

    def told(self, name: SourceName, scorer: Scorer | None, rows: npt.NDArray[np.int32]) -> Sequence[Reason | None]:
        """The reasons that a source has for `rows`, shape (r,), none where nothing in the history spoke for one."""
        if name is SourceName.FRESH:
            return [Reason(ReasonKind.FRESH, name)] * len(rows)
        if name not in PERSONAL_SOURCES:
            return [self.impersonal(name, row) for row in rows]
        if scorer is None or not len(self.past):
            return [None] * len(rows)
        # What speaks for an item speaks by the one thing there is, where there is but one.
        causes = Causes.certain(len(rows)) if len(self.past) == 1 else scorer.causes(rows)
        first, seeds = causes.places[:, 0], self.query.seeds_are_items
        kind = ReasonKind.SIMILAR_TO_SEED if seeds else ReasonKind.BECAUSE_OF_HISTORY
        events = [0] * len(rows) if seeds else self.past.types[first].tolist()
        named, counts = self.past.numbers[causes.places].tolist(), causes.counts.tolist()
        return [
            Reason(kind, name, tuple(because[:count]), share, event) if count else None
            for because, count, share, event in zip(named, counts, causes.shares.tolist(), events, strict=True)
        ]

    def impersonal(self, source: SourceName, row: np.int32) -> Reason:
        """The reason of an item, -1 for none of the generation, that nothing personal spoke for; one that nobody ever consumed only
        completes the list."""
        popular = row >= 0 and self.popularity[row] > 0
        return Reason(ReasonKind.POPULAR if popular else ReasonKind.FILL, source, category=self.query.category if popular else "")


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
