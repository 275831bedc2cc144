"""For whom an answer is: what of a person may shape it, and what it then rests on.

Without consent to personalise nothing that is known of the person is used at all, neither the history nor what was consumed or
dismissed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyroaring import BitMap

from recommender.composing.audience import Audience
from recommender.engine import Recommender
from recommender.event_table import event_weights
from recommender.events import Consent, Subject, SubjectKind
from recommender.feeds import PERSONAL_SOURCES, Basis, Feed
from recommender.people import History, Person, Seen, empty_history, nothing_seen
from recommender.placements import Placement

_PERSONALISE, _MEASURE = Consent.PERSONALISE, Consent.MEASURE
_USER, _PERSONAL, _SESSION, _CONTEXTUAL = SubjectKind.USER, Basis.PERSONAL, Basis.SESSION, Basis.CONTEXTUAL
_NEWEST = 4
"""Events that are looked at one by one."""

_BY_HISTORY = [int(name) - 1 for name in sorted(PERSONAL_SOURCES)]
"""Columns of a feed's contributions that a history moves."""


@dataclass(frozen=True, eq=False)
class Asker:
    """What may be used of one subject: `history`, oldest first, the sets of item numbers to leave out, and what was `seen` how often.

    All four are empty where `consent` lacks PERSONALISE. `subject` is None for an answer that is for nobody. `is_user`: whether the
    history is a user's, which that of a session is, too, once it was linked to one.
    """

    subject: Subject | None
    consent: Consent
    history: History
    consumed: BitMap
    dismissed: BitMap
    is_user: bool = False
    seen: Seen = field(default_factory=nothing_seen)

    @classmethod
    def nobody(cls, consent: Consent | None = None) -> Asker:
        """For answers that are the same for everybody; `consent` where the request brings one."""
        return cls(None, Consent.ALL if consent is None else consent, empty_history(), BitMap(), BitMap())

    @classmethod
    def of(cls, subject: Subject, person: Person, consent: Consent, *, linked: bool = False) -> Asker:
        """`subject`, of whom the store knows `person`, a user's state where `linked`, under the `consent` that holds now."""
        if _PERSONALISE not in consent:
            return replace(cls.nobody(consent), subject=subject)
        return cls(subject, consent, person.history, person.consumed, person.dismissed, linked or subject.kind is _USER, person.seen)

    def audience(self, language: str = "", region: str = "", segments: tuple[str, ...] = ()) -> Audience:
        """Who asks, as rules see it; of what is known of a person no more than consent allows."""
        subject = "" if self.subject is None else self.subject.kind.name.lower()
        return Audience(subject, len(self.history), language, region, segments)

    def owner(self, placement: Placement) -> str:
        """Whose items are left out of an answer, since they are the reader's own; "" for nobody's."""
        of_user = self.subject is not None and self.subject.kind is SubjectKind.USER
        return self.subject.id if self.subject is not None and of_user and placement.own == "hide" else ""

    @property
    def recorded_as(self) -> Subject | None:
        """Who the served record names: nobody, where the person does not allow to be counted."""
        return self.subject if _MEASURE in self.consent else None

    def basis(self, feed: Feed, engine: Recommender, *, brought: bool = False, beside: bool = False) -> Basis:
        """What `feed` rests on: the history only where that moved something in it.

        `brought`: whether the request brought a history along, which counts as the asker's own, where consent allows it. `beside`: whether
        the item at which the asker is right now came beside a history, and may have moved the feed in its place.
        """
        if self.subject is None or _PERSONALISE not in self.consent:
            return _CONTEXTUAL
        if not _moved(feed) or (beside and not brought and not _speaks(self.history, engine)):
            return _CONTEXTUAL
        return _PERSONAL if self.is_user else _SESSION


def _speaks(history: History, engine: Recommender) -> bool:
    """Whether anything in `history` speaks for an item; otherwise it is the current item that moved the feed."""
    table, catalogue = engine.settings.weight_table, engine.catalogue
    # Mostly one of the newest does.
    for item, type, value, _ in history[-_NEWEST:].tolist():
        if table[type] > 0 and not value <= 0 and catalogue.rows_of(item) >= 0:
            return True
    weights = event_weights(history["type"], history["value"], table)
    return bool(((weights > 0) & (catalogue.rows_of(history["item"]) >= 0)).any())


def _moved(feed: Feed) -> bool:
    """Whether a source that goes by the history added anything to any item, the first one before all others."""
    if feed.by_history is not None:
        return feed.by_history
    first = feed.contributions[:1].ravel().tolist()
    return any(first[place] > 0 for place in _BY_HISTORY if first) or bool((feed.contributions[:, _BY_HISTORY] > 0).any())
