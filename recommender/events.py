"""What an event is: one thing that a person did with, or was shown of, one item."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag

from recommender.errors import InvalidInput
from recommender.items import LABEL_LIMIT, LABELS_LIMIT, UNSTORABLE, check_id

TOKEN_LIMIT = 1_024
VALUE_LIMIT = 1e9


class EventType(IntEnum):
    """The numbers are stored and sent, so they never change.

    IMPRESSION says the item was seen; all others that the person acted. HIDE and DISLIKE dismiss the item.
    """

    IMPRESSION = 1
    VIEW = 2
    CLICK = 3
    READ = 4
    WATCH = 5
    LIKE = 6
    DISLIKE = 7
    HIDE = 8
    SAVE = 9
    SHARE = 10
    CART = 11
    PURCHASE = 12
    CUSTOM = 13


DISMISSING = frozenset({EventType.DISLIKE, EventType.HIDE})
"""What takes an item out of that person's feeds whatever the repeat policy."""

CONSUMING = frozenset(set(EventType) - DISMISSING - {EventType.IMPRESSION, EventType.SAVE, EventType.CART, EventType.CUSTOM})
"""What counts as having had the item; a saved item or one in the cart is still wanted, so it is not among them."""

WITH_PORTION = frozenset({EventType.READ, EventType.WATCH})
"""The types that may carry `portion` and `dwell_s`."""


_CUSTOM = EventType.CUSTOM


class Consent(IntFlag):
    """What a person allows to be done with an event, bit by bit."""

    NONE = 0
    PERSONALISE = 1
    """May shape this person's own feeds."""
    TRAIN = 2
    """May be learnt from by models that serve everybody."""
    MEASURE = 4
    """May be counted in reports and experiments."""
    ALL = 7


class SubjectKind(IntEnum):
    """A USER has an account; a SESSION is anonymous."""

    USER = 1
    SESSION = 2


@dataclass(frozen=True)
class Subject:
    """Who a feed is for or an event came from. Raises `InvalidInput` naming `user_id` or `session_id`."""

    kind: SubjectKind
    id: str

    def __post_init__(self) -> None:
        check_id(self.id, "user_id" if self.kind is SubjectKind.USER else "session_id")

    @classmethod
    def user(cls, user_id: str) -> Subject:
        """The signed-in person `user_id`."""
        return cls(SubjectKind.USER, user_id)

    @classmethod
    def session(cls, session_id: str) -> Subject:
        """The anonymous session `session_id`."""
        return cls(SubjectKind.SESSION, session_id)


@dataclass(frozen=True)
class Event:
    """One event, checked on construction.

    `id` identifies the event for de-duplication. `at` is when it happened (aware), None for "on arrival". `value` is the
    event's amount where it has one: a rating, a price paid, a number of units. `portion`, in [0, 1], and `dwell_s`,
    seconds ≥ 0, belong to READ and WATCH only. `custom` names a CUSTOM event. `token` is the item token of the feed that
    showed the item. `consent` is None where the sender said nothing: then what the person
    last said holds, or the deployment's default.
    """

    id: str
    type: EventType
    subject: Subject
    item_id: str
    at: datetime | None = None
    value: float | None = None
    portion: float | None = None
    dwell_s: float | None = None
    custom: str = ""
    token: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    consent: Consent | None = None

    def __post_init__(self) -> None:
        check_id(self.id, "id")
        check_id(self.item_id, "item_id")
        if self.at is not None and self.at.tzinfo is None:
            raise InvalidInput("at", self.at.isoformat(), "a time with its offset, such as 2026-01-31T08:00:00Z")
        if self.value is not None and not abs(self.value) <= VALUE_LIMIT:
            raise InvalidInput("value", self.value, f"a number from -{VALUE_LIMIT:g} to {VALUE_LIMIT:g}")
        if self.portion is not None and not 0 <= self.portion <= 1:
            raise InvalidInput("portion", self.portion, "a number from 0 to 1")
        if self.dwell_s is not None and not (math.isfinite(self.dwell_s) and self.dwell_s >= 0):
            raise InvalidInput("dwell_s", self.dwell_s, "seconds, 0 or more")
        if (self.portion is not None or self.dwell_s is not None) and self.type not in WITH_PORTION:
            raise InvalidInput("type", self.type.name.lower(), "read or watch, when portion or dwell_s is given")
        if bool(self.custom) != (self.type is _CUSTOM):
            raise InvalidInput("custom", self.custom, "a name for type custom, nothing for any other type")
        if self.custom:
            _check_kept(self.custom, "custom", LABEL_LIMIT)
        if self.token:
            _check_kept(self.token, "token", TOKEN_LIMIT)
        if self.context:
            _check_context(self.context)


def _check_kept(text: str, name: str, limit: int) -> None:
    if len(text) > limit or UNSTORABLE.search(text):
        raise InvalidInput(name, text, f"at most {limit} characters, no NUL and no lone surrogate")


def _check_context(context: Mapping[str, str]) -> None:
    if len(context) > LABELS_LIMIT or any(
        not isinstance(text, str) or len(text) > LABEL_LIMIT or UNSTORABLE.search(text) for pair in context.items() for text in pair
    ):
        raise InvalidInput("context", dict(context), f"at most {LABELS_LIMIT} pairs of texts of at most {LABEL_LIMIT} characters")
