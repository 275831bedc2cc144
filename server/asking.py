"""Who asks, and in what moment: what of a person and of the request may shape an answer.

Consent comes first: the request's own, else what the person last said, else the deployment's default of today. Without
`personalise` nothing that is known of the person is used at all, neither the history nor what was consumed or dismissed;
what the request itself brings along is used in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.asker import Asker
from recommender.composing.audience import NOBODY, Audience
from recommender.engine import Recommender
from recommender.events import Consent, EventType, Subject
from recommender.feeds import Basis, Feed
from recommender.people import HISTORY_DTYPE, HISTORY_LIMIT, History
from recommender.store import Store
from recommender.times import to_micros
from server.live import Live
from server.reading import NO_CONTEXT, Context

_PERSONALISE = Consent.PERSONALISE
_NONE = np.zeros(0, dtype=np.uint32)
_NONE.flags.writeable = False


def numbers_of(engine: Recommender, item_ids: Sequence[str]) -> tuple[npt.NDArray[np.uint32], list[str]]:
    """What `engine.numbers_of` says of `item_ids`, which most requests have none of."""
    return engine.numbers_of(item_ids) if item_ids else (_NONE, [])


def meet(store: Store, live: Live, subject: Subject, consent: Consent | None, default: Consent) -> tuple[Asker, Recommender]:
    """Who asks, and the engine with every change of the catalogue that the same read of the store saw.

    Raises `NoGeneration` and what the store raises.
    """
    if consent is not None and _PERSONALISE not in consent:
        return replace(Asker.nobody(consent), subject=subject), live.newest()
    read = store.read_person(subject)
    engine = live.at_least(read.change)
    if consent is None:
        consent = read.person.consent if read.said else default
    return Asker.of(subject, read.person, consent, linked=read.linked), engine


@dataclass(frozen=True, eq=False)
class Moment:
    """The items that a request's context names: `recent`, oldest first, and `current` (None when not given), as numbers.

    `unknown` are the ids among them that the generation does not have.
    """

    recent: npt.NDArray[np.uint32]
    current: int | None
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, context: Context, engine: Recommender) -> Moment:
        """Look the ids up."""
        if context is NO_CONTEXT:
            return NO_MOMENT
        recent, unknown = numbers_of(engine, context.recent_ids)
        current, unknown_current = numbers_of(engine, [context.current_id] if context.current_id else [])
        return cls(recent, int(current[0]) if len(current) else None, (*unknown, *unknown_current))

    @property
    def consumed(self) -> BitMap:
        """What the client's own history says the person had already."""
        return BitMap(self.recent.tolist())

    @property
    def excluded(self) -> tuple[int, ...]:
        """What is never shown in this moment."""
        return () if self.current is None else (self.current,)

    def joined(self, history: History, now: datetime) -> History:
        """`history` with this moment as its newest part: the recent items as clicks, then the current one as a view.

        Items that the history holds already are not counted twice, except the current one: it is what counts now.
        """
        if not len(self.recent) and self.current is None:
            return history
        recent = self.recent[~np.isin(self.recent, history["item"])]
        if self.current is not None:
            recent = recent[recent != self.current]
        entries = np.zeros(len(recent) + (self.current is not None), dtype=HISTORY_DTYPE)
        entries["item"][: len(recent)] = recent
        entries["type"] = EventType.CLICK
        entries["value"] = np.nan
        # An event may lie a little ahead of the clock, and a history is in order of time.
        entries["at"] = max(to_micros(now), int(history["at"][-1]) if len(history) else to_micros(now))
        if self.current is not None:
            entries["item"][-1] = self.current
            entries["type"][-1] = EventType.VIEW
        return np.concatenate([history, entries])[-HISTORY_LIMIT:]


NO_MOMENT = Moment(_NONE, None, ())
"""Of a request that names no items."""


def audience_of(asker: Asker, context: Context) -> Audience:
    """Who asks, as rules see it."""
    if context is NO_CONTEXT and asker.subject is None:
        return NOBODY
    return asker.audience(context.language, context.region, context.segments)


def basis_of(asker: Asker, moment: Moment, feed: Feed, engine: Recommender) -> Basis:
    """What `feed` rests on; a history that the client keeps itself counts as the asker's own, where consent allows it."""
    return asker.basis(feed, engine, brought=bool(len(moment.recent)), beside=moment.current is not None)
