"""The domain's types as protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from recommender.events import Consent, Event, Subject, SubjectKind
from recommender.items import Item, ItemKind
from recommender.v1 import event_pb2, feed_pb2, types_pb2


def item_message(item: Item) -> types_pb2.Item:
    """The item as it is sent."""
    message = types_pb2.Item(
        id=item.id,
        kind=types_pb2.ItemKind.ValueType(item.kind),
        title=item.title,
        text=item.text,
        language=item.language,
        categories=item.categories,
        tags=item.tags,
        author=item.author,
        brand=item.brand,
        owner=item.owner,
        published_at=timestamp(item.published_at),
        valid_from=timestamp(item.valid_from),
        valid_to=timestamp(item.valid_to),
        price=item.price,
        image_url=item.image_url,
        embedding=None if item.embedding is None else item.embedding.tolist(),
    )
    for name, value in item.attributes.items():
        if isinstance(value, str):
            message.attributes[name].text = value
        elif isinstance(value, bool):
            message.attributes[name].flag = value
        else:
            message.attributes[name].number = value
    return message


def event_message(event: Event) -> event_pb2.Event:
    """The event as it is sent."""
    return event_pb2.Event(
        id=event.id,
        type=event_pb2.EventType.ValueType(event.type),
        subject=subject_message(event.subject),
        item_id=event.item_id,
        at=timestamp(event.at),
        value=event.value,
        portion=event.portion,
        dwell_s=event.dwell_s,
        custom=event.custom,
        token=event.token,
        context=event.context,
        consent=consent_message(event.consent),
    )


def subject_message(subject: Subject) -> types_pb2.Subject:
    """The subject as it is sent."""
    if subject.kind is SubjectKind.USER:
        return types_pb2.Subject(user_id=subject.id)
    return types_pb2.Subject(session_id=subject.id)


def subject_of(user: str, session: str) -> types_pb2.Subject:
    """The one of the two that is given. Raises ValueError for both or neither."""
    if bool(user) == bool(session):
        raise ValueError("give either user or session")
    return types_pb2.Subject(user_id=user) if user else types_pb2.Subject(session_id=session)


def context_message(
    language: str,
    current_item: str = "",
    recent_items: Iterable[str] = (),
    region: str = "",
    segments: Iterable[str] = (),
    muted: tuple[Iterable[str], Iterable[str], Iterable[str]] = ((), (), ()),
) -> feed_pb2.RequestContext:
    """What a request says about its moment; `muted`: authors, categories and words."""
    authors, categories, words = muted
    mutes = feed_pb2.Mutes(authors=authors, categories=categories, words=words)
    return feed_pb2.RequestContext(
        language=language,
        current_item_id=current_item,
        recent_item_ids=recent_items,
        region=region,
        segments=segments,
        mutes=mutes if mutes.ByteSize() else None,
    )


def consent_message(consent: Consent | None) -> types_pb2.Consent | None:
    """The flags as they are sent; None, for what the person last said, stays None."""
    if consent is None:
        return None
    return types_pb2.Consent(personalise=Consent.PERSONALISE in consent, train=Consent.TRAIN in consent, measure=Consent.MEASURE in consent)


def kind_numbers(kinds: Iterable[ItemKind]) -> list[types_pb2.ItemKind.ValueType]:
    """The kinds as they are sent."""
    return [types_pb2.ItemKind.ValueType(kind) for kind in kinds]


def timestamp(moment: datetime | None) -> Timestamp | None:
    """The aware moment as it is sent; None stays None."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def duration(length: timedelta | None) -> Duration | None:
    """The length of time as it is sent; None stays None."""
    if length is None:
        return None
    message = Duration()
    message.FromTimedelta(length)
    return message
