"""The question and the answer: a `Query` describes whose feed is wanted and under what limits, a `Feed` is the ranking.

The server asks with one query, the evaluation with thousands; `recommender.engine.Recommender.feeds` answers both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.composing.audience import NOBODY, Audience
from recommender.composing.slate_kernels import BREAKING, ENSURED, EXPLORED, PINNED, RANKED
from recommender.items import ItemKind
from recommender.people import History, Seen, empty_history, nothing_seen
from recommender.placements import Placement

if TYPE_CHECKING:
    from recommender.trends import Trend


class Basis(IntEnum):
    """What an answer rests on; the numbers are sent.

    PERSONAL: a user's own history. SESSION: an anonymous session's. CONTEXTUAL: only the request itself and what is popular
    or fresh, either because nothing is known or because personalisation is not consented to.
    """

    PERSONAL = 1
    SESSION = 2
    CONTEXTUAL = 3


class SourceName(IntEnum):
    """Where a candidate can come from; the numbers are sent and stored in tokens, so they never change."""

    CONTENT = 1
    COLLABORATIVE = 2
    ITEM_ITEM = 3
    POPULAR = 4
    FRESH = 5
    TRANSITIONS = 6
    GRAPH = 7
    CO_OCCURRENCE = 8
    TRANSFER = 9
    RESPONSE = 10
    SEQUENCE = 11

    @property
    def key(self) -> str:
        """The name in settings and reports, such as "item_item"."""
        return self.name.lower()


PERSONAL_SOURCES = frozenset(SourceName) - {SourceName.POPULAR, SourceName.FRESH, SourceName.RESPONSE}
"""The sources that go by the history; without one they have no say."""


class ReasonKind(IntEnum):
    """Why an item stands where it does, in words for the reader; the numbers are sent."""

    BECAUSE_OF_HISTORY = 1
    POPULAR = 2
    FRESH = 3
    SIMILAR_TO_SEED = 4
    FILL = 5
    """Nothing spoke for it; it completes a list that would be short."""
    PROMOTED = 6
    """An editor's rule put it at its place."""
    MATCHES_TITLE = 7
    """Its title says what was searched for."""
    MATCHES_QUERY = 8
    """It was searched for, and its title is not all that says so."""
    NEW_FROM_AUTHOR = 9
    """It is new, and by an author whose items the person took up before."""
    CONSUMED = 10
    """It is on the list of what the person had."""
    STARTED = 11
    """The person began it and did not finish it."""
    DUE = 12
    """The person has it again and again, and may be about to."""


class Placing(IntEnum):
    """What put an item at its place in a feed; the numbers are sent, and kept in page tokens.

    RANKED: its score, less what variety takes off. PINNED, ENSURED: a rule of the placement. EXPLORED: it is new or uncertain. BREAKING: it
    came after the feed was begun, and a later page took it in.
    """

    RANKED = RANKED
    PINNED = PINNED
    ENSURED = ENSURED
    EXPLORED = EXPLORED
    BREAKING = BREAKING


class Muted(NamedTuple):
    """What a reader never wants to see: items by these `authors`, in these `categories`, and with all of the words of one of `words`."""

    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


NOTHING_MUTED = Muted()


@dataclass(frozen=True, eq=False)
class Query:
    """One wanted ranking.

    `size`: how many items at the most, 1 to 500. `history`: the acted events to go by, oldest first (`HISTORY_DTYPE`).
    `consumed` and `dismissed`: item numbers to leave out, the first only where the placement's repeat policy says so.
    `exclude`: item numbers to leave out in any case. `candidates`: when given, only these numbers are ranked.
    `kinds`: empty for the placement's own. `language`: "" for any; otherwise items of other languages are left out, items
    of unknown language stay. `filter`: a condition in CEL, "" for none. `category`: only items of this category; "" for all.
    `sources`: when given, only these take part, at full weight where the placement gives none (ablations, similar items).
    `reasons`: for how many leading items reasons are wanted. `seeds_are_items`: the history is a list of given items (LIKE
    for "like this", DISLIKE for "unlike") rather than a person's, and they are left out themselves. `audience`: who asks, as rules see
    it. `region`: "" for any; otherwise items that are for other regions alone are left out. `muted`: what the reader never wants to see.
    `owner`: items of this owner are left out, "" for none. `seen`: what was shown to the person before, shape (any,), `SEEN_DTYPE`. `seed`:
    what chance goes by, where a placement has any. `trend`: by which the popular source ranks, instead of by all that was counted; for a
    query of that source alone. `text`: what is searched for; "" where nothing is. Then what fits it is ranked, and nothing stands in for
    it.
    """

    placement: Placement
    size: int
    history: History = field(default_factory=empty_history)
    consumed: BitMap = field(default_factory=BitMap)
    dismissed: BitMap = field(default_factory=BitMap)
    exclude: tuple[int, ...] = ()
    candidates: npt.NDArray[np.uint32] | None = None
    kinds: frozenset[ItemKind] = frozenset()
    language: str = ""
    filter: str = ""
    category: str = ""
    sources: frozenset[SourceName] | None = None
    reasons: int = 0
    seeds_are_items: bool = False
    audience: Audience = NOBODY
    region: str = ""
    muted: Muted = NOTHING_MUTED
    owner: str = ""
    seen: Seen = field(default_factory=nothing_seen)
    seed: int = 0
    trend: Trend | None = None
    text: str = ""

    @property
    def is_for_a_feed(self) -> bool:
        """Whether what is wanted is a feed, which all rules and all of its placement's variety are for."""
        return self.candidates is None and self.sources is None and not self.seeds_are_items and not self.text

    @property
    def goes_by_chance(self) -> bool:
        """Whether chance has a say in the answer."""
        return self.is_for_a_feed and self.placement.goes_by_chance


class Trending(NamedTuple):
    """Where, with whom and since when something trends: `region` and `segment`, "" for everywhere and everybody, what to call them, and
    the window in µs, 0 for none."""

    region: str = ""
    segment: str = ""
    window_us: int = 0
    region_name: str = ""
    segment_name: str = ""


class Reason(NamedTuple):
    """Why one item is shown.

    `source` moved the score most. For BECAUSE_OF_HISTORY and SIMILAR_TO_SEED, `because` holds the item numbers of the
    history that contributed most to that source's score, the strongest first, and `share`, in [0, 1], is the first one's
    part of all positive contributions; `event` is the `EventType` by which the first came into the history, 0 for given
    items. `category` is set where a category's popularity was the cause, `trending` where a trend was. `author` is whose new item it is.
    """

    kind: ReasonKind
    source: SourceName
    because: tuple[int, ...] = ()
    share: float = 0.0
    event: int = 0
    category: str = ""
    trending: Trending | None = None
    author: str = ""


NAMED = 3
"""Items of the history that a reason names at the most."""


@dataclass(frozen=True, eq=False)
class Reasons(Sequence[Reason]):
    """Reasons of r items, kept by columns and read one by one.

    `kinds`, `sources`, `events`: shape (r,), uint8, numbers of `ReasonKind`, `SourceName` and `EventType`. `because`: shape (r, `NAMED`),
    int64, -1 behind the last. `shares`: shape (r,), float32. `category`: that of all that are there for being popular. `trends`: what
    these may be popular by, None for without a trend, and `levels`, shape (r,), uint8, which of them each is, or None where all are by the
    first. `authors`: of those that are new from one, by place.
    """

    kinds: npt.NDArray[np.uint8]
    sources: npt.NDArray[np.uint8]
    events: npt.NDArray[np.uint8]
    because: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]
    category: str = ""
    trends: tuple[Trending | None, ...] = (None,)
    levels: npt.NDArray[np.uint8] | None = None
    authors: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def none(cls) -> Reasons:
        """No reasons."""
        nothing = np.zeros(0, dtype=np.uint8)
        return cls(nothing, nothing, nothing, np.zeros((0, NAMED), dtype=np.int64), np.zeros(0, dtype=np.float32))

    def promoting(self, marks: npt.NDArray[np.uint8]) -> Reasons:
        """The same, but that what is pinned by its mark, of `marks`, shape (r or more,), is there for that."""
        # Mostly all stands as it was ranked, which has no mark.
        if not np.count_nonzero(marks):
            return self
        pinned = marks[: len(self)] == PINNED
        if not pinned.any():
            return self
        kinds, because = self.kinds.copy(), self.because.copy()
        kinds[pinned], because[pinned] = ReasonKind.PROMOTED, -1
        return replace(self, kinds=kinds, because=because, shares=np.where(pinned, np.float32(0), self.shares))

    def __len__(self) -> int:
        return len(self.kinds)

    @overload
    def __getitem__(self, place: int) -> Reason: ...

    @overload
    def __getitem__(self, place: slice) -> Reasons: ...

    def __getitem__(self, place: int | slice) -> Reason | Reasons:
        """The reason at a place, or those of a slice."""
        if isinstance(place, slice):
            kinds, sources, events = (column[place] for column in (self.kinds, self.sources, self.events))
            levels = None if self.levels is None else self.levels[place]
            kept = {at: new for new, at in enumerate(range(len(self))[place]) if at in self.authors} if self.authors else {}
            authors = {new: self.authors[at] for at, new in kept.items()}
            return Reasons(kinds, sources, events, self.because[place], self.shares[place], self.category, self.trends, levels, authors)
        kind, because = ReasonKind(int(self.kinds[place])), self.because[place]
        return Reason(
            kind,
            SourceName(int(self.sources[place])),
            tuple(because[because >= 0].tolist()),
            float(self.shares[place]),
            int(self.events[place]),
            self.category if kind is ReasonKind.POPULAR else "",
            self.trends[0 if self.levels is None else int(self.levels[place])] if kind is ReasonKind.POPULAR else None,
            self.authors.get(range(len(self))[place], "") if kind is ReasonKind.NEW_FROM_AUTHOR else "",
        )

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Reasons | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Degradation:
    """Something that was left out of an answer: `what` (a source's key, what of a trend, or of a search "meaning" or "person") and `why`
    ("failed", "deadline", "no model", and so on)."""

    what: str
    why: str


@dataclass(frozen=True, eq=False)
class Feed:
    """The ranking that answers one query, best first.

    `numbers`: item numbers, shape (n,), uint32, all different. `scores`: shape (n,), float32, descending; ties by number.
    `sources`: shape (n,), uint8, the `SourceName` that moved each item's score most. `contributions`: shape (n, s),
    float32, each source's part of the score, in the order of `SourceName`; rows sum to the score. `source_ranks`: shape
    (n, s), int32, the 1-based rank that each source gave among the candidates, 0 where it had no opinion.
    `probabilities`: shape (n,), float32, chance of being shown at that place, given what stands before it (1 where nothing was random).
    `marks`: shape (n,), uint8, the `Placing` of each. `broken`: names of rules that could not be kept
    throughout, or be asked at all.
    `reasons`: for the leading items, as many as asked for. `eligible`: how many items passed all limits.
    `retrieval_mode`: how content candidates were found: "exact", "index", "lists" or "none". `made_at`: µs; who asks the same again
    within the minute gets what was made then. 0 where that makes no difference. `by_history`: whether the history moved anything; None
    where the contributions say so.
    """

    numbers: npt.NDArray[np.uint32]
    scores: npt.NDArray[np.float32]
    sources: npt.NDArray[np.uint8]
    contributions: npt.NDArray[np.float32]
    source_ranks: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    reasons: Reasons
    eligible: int
    retrieval_mode: str
    marks: npt.NDArray[np.uint8]
    broken: tuple[str, ...] = ()
    degraded: tuple[Degradation, ...] = ()
    made_at: int = 0
    by_history: bool | None = None

    def at(self, kept: npt.NDArray[np.bool_]) -> Feed:
        """The items that are `kept`, shape (n,), among them all with reasons."""
        if kept.all():
            return self
        columns = ("numbers", "scores", "sources", "contributions", "source_ranks", "probabilities", "marks")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})
