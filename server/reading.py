"""Reads protobuf messages into the domain's types, naming the field of whatever is not allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TypeVar
from unicodedata import category

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.feeds import Muted
from recommender.items import LABEL_LIMIT, AttributeValue, Item, ItemKind, ItemState, check_id
from recommender.placements import PAGE_LIMIT, Placement, Placements
from recommender.v1 import catalog_pb2, event_pb2, feed_pb2, types_pb2

BATCH_LIMIT = 1_000
"""Items, ids or events in one call."""
EXCLUDE_LIMIT = 1_000
SEEDS_LIMIT = 50
RANK_LIMIT = 500
RECENT_LIMIT = 200
SEGMENTS_LIMIT = 50
MUTES_LIMIT = 100
FILTER_LIMIT = 2_000
QUERY_LIMIT = 500
REASON_LIMIT = 2_000

Enum = TypeVar("Enum", bound=IntEnum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Made once, since enumerations take longer to look up and to combine than all else of an event takes to read.
_NO_KINDS = frozenset[ItemKind]()
_EVENT_TYPES = {int(kind): kind for kind in EventType}
_CONSENTS = {
    (bool(bits & Consent.PERSONALISE), bool(bits & Consent.TRAIN), bool(bits & Consent.MEASURE)): Consent(bits)
    for bits in range(Consent.ALL + 1)
}


@contextmanager
def within(path: str) -> Iterator[None]:
    """Put `path` before the field that an `InvalidInput` raised inside names: "portion" becomes "events[3].portion"."""
    try:
        yield
    except InvalidInput as error:
        raise error.within(path) from error


def enum_of(kind: type[Enum], value: int, field: str) -> Enum:
    """The member numbered `value`; the protobuf numbers are the domain's own."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(field, value, ", ".join(f"{member.name} ({member.value})" for member in kind)) from None


def moment_of(message: Timestamp, field: str) -> datetime:
    """The aware UTC moment of a protobuf timestamp."""
    seconds, nanos = message.seconds, message.nanos
    try:
        moment = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1_000)
    except OverflowError:
        moment = None
    if moment is None or not 0 <= nanos < 1_000_000_000:
        raise InvalidInput(field, f"{seconds} s and {nanos} ns", "a time between the years 1 and 9999, nanos from 0 to 999999999")
    return moment


def subject_of(message: types_pb2.Subject, field: str = "subject") -> Subject:
    """The subject, which must be given."""
    given = message.WhichOneof("id")
    if given is None:
        raise InvalidInput(field, "nothing", "user_id or session_id")
    try:
        return Subject.user(message.user_id) if given == "user_id" else Subject.session(message.session_id)
    except InvalidInput as error:
        raise error.within(field) from error


def consent_of(message: types_pb2.Consent) -> Consent:
    """The three flags as one value."""
    return _CONSENTS[message.personalise, message.train, message.measure]


def item_of(message: types_pb2.Item) -> Item:
    """The item. Raises `InvalidInput` naming the field."""
    attributes: dict[str, AttributeValue] = {}
    for name, value in message.attributes.items():
        match value.WhichOneof("value"):
            case "text":
                attributes[name] = value.text
            case "number":
                attributes[name] = value.number
            case "flag":
                attributes[name] = value.flag
            case _:
                raise InvalidInput(f"attributes.{name}", "nothing", "text, a finite number, or true/false")
    return Item(
        id=message.id,
        kind=enum_of(ItemKind, message.kind, "kind"),
        title=message.title,
        text=message.text,
        language=message.language,
        categories=tuple(message.categories),
        tags=tuple(message.tags),
        author=message.author,
        brand=message.brand,
        owner=message.owner,
        published_at=moment_of(message.published_at, "published_at") if message.HasField("published_at") else None,
        valid_from=moment_of(message.valid_from, "valid_from") if message.HasField("valid_from") else None,
        valid_to=moment_of(message.valid_to, "valid_to") if message.HasField("valid_to") else None,
        price=message.price if message.HasField("price") else None,
        image_url=message.image_url,
        embedding=np.array(message.embedding, dtype=np.float32) if message.embedding else None,
        attributes=attributes,
    )


def event_of(message: event_pb2.Event) -> Event:
    """The event. Raises `InvalidInput` naming the field."""
    return Event(
        id=message.id,
        type=_EVENT_TYPES.get(message.type) or enum_of(EventType, message.type, "type"),
        subject=subject_of(message.subject),
        item_id=message.item_id,
        at=moment_of(message.at, "at") if message.HasField("at") else None,
        value=message.value if message.HasField("value") else None,
        portion=message.portion if message.HasField("portion") else None,
        dwell_s=message.dwell_s if message.HasField("dwell_s") else None,
        custom=message.custom,
        token=message.token,
        context=dict(message.context),
        consent=consent_of(message.consent) if message.HasField("consent") else None,
    )


def batch_of(count: int, field: str) -> None:
    """Raise `InvalidInput` unless `count` is 1 to 1,000."""
    if not 1 <= count <= BATCH_LIMIT:
        raise InvalidInput(field, f"{count} of them", f"1 to {BATCH_LIMIT}")


def ids_of(values: Sequence[str], field: str, limit: int) -> list[str]:
    """Checked ids without repetition, in the order given; at most `limit` of them."""
    if not values:
        return []
    if len(values) > limit:
        raise InvalidInput(field, f"{len(values)} ids", f"at most {limit}")
    for place, value in enumerate(values):
        check_id(value, f"{field}[{place}]")
    return list(dict.fromkeys(values))


def state_of(request: catalog_pb2.SetStateRequest) -> ItemState:
    """The state wanted: LIVE or HIDDEN."""
    if request.state not in (types_pb2.ITEM_STATE_LIVE, types_pb2.ITEM_STATE_HIDDEN):
        raise InvalidInput("state", int(request.state), "LIVE (1) or HIDDEN (2); items are deleted with DeleteItems")
    return ItemState(request.state)


def page_size_of(value: int, default: int) -> int:
    """Items on a page: 1 to 100, 0 for `default`."""
    if not 0 <= value <= PAGE_LIMIT:
        raise InvalidInput("page_size", value, f"1 to {PAGE_LIMIT}, or 0 for the placement's own")
    return value or default


def kinds_of(values: Sequence[int]) -> frozenset[ItemKind]:
    """The kinds wanted; empty when none is named."""
    return frozenset(enum_of(ItemKind, value, f"kinds[{place}]") for place, value in enumerate(values)) if values else _NO_KINDS


def filter_of(text: str) -> str:
    """A filter that is short enough to be parsed; whether it means something is for the engine to say."""
    if len(text) > FILTER_LIMIT:
        raise InvalidInput("filter", f"{len(text)} characters", f"at most {FILTER_LIMIT}")
    return text


def label_of(text: str, field: str) -> str:
    """A label of at most 200 characters; may be empty."""
    if len(text) > LABEL_LIMIT:
        raise InvalidInput(field, text, f"at most {LABEL_LIMIT} characters")
    return text


def labels_of(texts: Sequence[str], field: str, limit: int) -> tuple[str, ...]:
    """At most `limit` labels, without repetition."""
    if len(texts) > limit:
        raise InvalidInput(field, f"{len(texts)} labels", f"at most {limit}")
    return tuple(dict.fromkeys(label_of(text, f"{field}[{place}]") for place, text in enumerate(texts)))


def query_of(text: str) -> str:
    """What was typed, without spaces around it: 1 to 500 characters, of which control characters count as spaces."""
    typed = " ".join("".join(" " if category(sign) == "Cc" else sign for sign in text[: 2 * QUERY_LIMIT]).split())
    if not typed or len(typed) > QUERY_LIMIT or len(text) > 2 * QUERY_LIMIT:
        given = "nothing to search for" if not typed and len(text) <= 2 * QUERY_LIMIT else f"{len(text)} characters"
        raise InvalidInput("query", given, f"1 to {QUERY_LIMIT} characters")
    return typed


def reason_of(text: str) -> str:
    """An operator's reason, at most 2,000 characters."""
    if len(text) > REASON_LIMIT:
        raise InvalidInput("reason", f"{len(text)} characters", f"at most {REASON_LIMIT}")
    return text


@dataclass(frozen=True)
class Context:
    """What a request says about its moment: the language wanted ("" for any), the current item's id ("" for none), the
    history that the client keeps itself, oldest first and without repetition, where the reader is ("" for anywhere), the segments that
    the client counts them among, and the labels that they never want to see."""

    language: str
    current_id: str
    recent_ids: tuple[str, ...]
    region: str = ""
    segments: tuple[str, ...] = ()
    muted_authors: tuple[str, ...] = ()
    muted_categories: tuple[str, ...] = ()
    muted_words: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: feed_pb2.RequestContext) -> Context:
        """Raises `InvalidInput` naming the field."""
        if message.current_item_id:
            check_id(message.current_item_id, "context.current_item_id")
        ids_of(message.recent_item_ids, "context.recent_item_ids", RECENT_LIMIT)
        # Of a repeated id the newest place counts.
        newest_first = tuple(dict.fromkeys(reversed(message.recent_item_ids)))
        return cls(
            language=label_of(message.language, "context.language").lower(),
            current_id=message.current_item_id,
            recent_ids=newest_first[::-1],
            region=label_of(message.region, "context.region"),
            segments=labels_of(message.segments, "context.segments", SEGMENTS_LIMIT),
            muted_authors=labels_of(message.mutes.authors, "context.mutes.authors", MUTES_LIMIT),
            muted_categories=labels_of(message.mutes.categories, "context.mutes.categories", MUTES_LIMIT),
            muted_words=labels_of(message.mutes.words, "context.mutes.words", MUTES_LIMIT),
        )

    @property
    def muted(self) -> Muted:
        """What the reader never wants to see."""
        return Muted(self.muted_authors, self.muted_categories, self.muted_words)


NO_CONTEXT = Context("", "", ())
"""Of a request that says nothing about its moment."""


@dataclass(frozen=True)
class Wanted:
    """What all requests for items say alike: at which placement, how many, and which ones at all."""

    placement: Placement
    page_size: int
    exclude_ids: tuple[str, ...]
    kinds: frozenset[ItemKind]
    filter: str
    context: Context

    @classmethod
    def of(
        cls,
        request: feed_pb2.GetFeedRequest
        | feed_pb2.GetSimilarRequest
        | feed_pb2.GetPopularRequest
        | feed_pb2.GetHistoryRequest
        | feed_pb2.SearchRequest,
        placements: Placements,
    ) -> Wanted:
        """Raises `NotFound` for an unknown placement and `InvalidInput` naming the field for anything else."""
        exclude = tuple(ids_of(request.exclude_item_ids, "exclude_item_ids", EXCLUDE_LIMIT))
        return cls.of_slate(request, placements, exclude, Context.of(request.context) if request.HasField("context") else NO_CONTEXT)

    @classmethod
    def of_slate(
        cls,
        request: feed_pb2.GetFeedRequest
        | feed_pb2.GetSimilarRequest
        | feed_pb2.GetPopularRequest
        | feed_pb2.GetHistoryRequest
        | feed_pb2.SearchRequest
        | feed_pb2.Slate,
        placements: Placements,
        exclude: tuple[str, ...],
        context: Context,
    ) -> Wanted:
        """The same of one slate of several, which are all without `exclude` and of the same moment."""
        placement = placements.get(request.placement)
        return cls(
            placement=placement,
            page_size=page_size_of(request.page_size, placement.page_size),
            exclude_ids=exclude,
            kinds=kinds_of(request.kinds),
            filter=filter_of(request.filter),
            context=context,
        )
