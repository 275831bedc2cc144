"""One row of an events file as an `Event`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from xxhash import xxh3_128_hexdigest

from indexing.importing import values as read
from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject, SubjectKind
from recommender.times import to_micros

_TYPES = {type.name.lower(): type for type in EventType}
_TYPE_NAMES = {int(type): type.name for type in EventType}
_KIND_NAMES = {int(kind): kind.name for kind in SubjectKind}
_FLAGS = {"personalise": Consent.PERSONALISE, "train": Consent.TRAIN, "measure": Consent.MEASURE}
_FLAG_COLUMNS = {f"consent.{name}": name for name in _FLAGS}
_CONSENT_ALLOWED = f"all, none, or some of {', '.join(_FLAGS)} separated by commas"


def event_from_row(values: read.Values) -> Event:
    """The event of a row whose columns are already ours.

    A row must say when it happened, since "on arrival" would be the time of the import. Where user_id and session_id are
    both given, the event is the user's. Raises `InvalidInput`.
    """
    type = _type(read.needed_text(values, "type"))
    subject = _subject(values)
    item_id = read.needed_text(values, "item_id")
    at = read.moment(values, "at")
    if at is None:
        raise InvalidInput("at", None, "a time in every row")
    custom = read.text(values, "custom")
    return Event(
        id=read.text(values, "id") or stable_id(subject, item_id, type, at, custom),
        type=type,
        subject=subject,
        item_id=item_id,
        at=at,
        value=read.number(values, "value"),
        portion=read.number(values, "portion"),
        dwell_s=read.number(values, "dwell_s"),
        custom=custom,
        token=read.text(values, "token"),
        context=_context(read.fields(values, "context")),
        consent=_consent(values),
    )


def stable_id(subject: Subject, item_id: str, type: EventType, at: datetime, custom: str = "") -> str:
    """An id for an event that has none: the same for the same subject, item, type (and custom name) and time.

    So a file without ids can be imported again and nothing counts twice.
    """
    return id_of_parts(int(subject.kind), subject.id, item_id, int(type), to_micros(at), custom)


def id_of_parts(kind: int, subject_id: str, item_id: str, type: int, at: int, custom: str = "") -> str:
    """`stable_id` of plain values: `SubjectKind`, `EventType` and a time in µs."""
    # Ids hold no control characters, so the separator cannot occur in them; the only part that could hold one stands last.
    return "auto-" + xxh3_128_hexdigest(
        f"{_KIND_NAMES[kind]}\x1f{subject_id}\x1f{item_id}\x1f{_TYPE_NAMES[type]}\x1f{at}\x1f{custom}".encode()
    )


def type_named(name: str) -> EventType | None:
    """The type of that name, None where there is none."""
    return _TYPES.get(name.strip().lower())


def _type(name: str) -> EventType:
    type = type_named(name)
    if type is None:
        raise InvalidInput("type", name, ", ".join(_TYPES))
    return type


def _subject(values: read.Values) -> Subject:
    if "user_id" in values:
        return Subject.user(read.needed_text(values, "user_id"))
    if "session_id" in values:
        return Subject.session(read.needed_text(values, "session_id"))
    raise InvalidInput("user_id", None, "user_id or session_id in every row")


def _context(given: Mapping[str, object]) -> dict[str, str]:
    texts = {}
    for name, value in given.items():
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif isinstance(value, float):
            texts[name] = repr(value)
        else:
            texts[name] = read.needed_text({f"context.{name}": value}, f"context.{name}")
    return texts


def _consent(values: read.Values) -> Consent | None:
    """None where the row says nothing. Of the three flag columns, what is empty is not allowed as soon as one is given."""
    if values.keys().isdisjoint(_FLAG_COLUMNS):
        return _whole_consent(values["consent"]) if "consent" in values else None
    if "consent" in values:
        raise InvalidInput("consent", values["consent"], f"nothing where {' or '.join(_FLAG_COLUMNS)} is given")
    return _sum(name for column, name in _FLAG_COLUMNS.items() if read.flag(values, column))


def consent_of_text(text: str) -> Consent:
    """The consent that `text` names. Raises `InvalidInput`."""
    word = text.strip().lower()
    if word in ("all", "none"):
        return Consent.ALL if word == "all" else Consent.NONE
    return _sum(part.strip().lower() for part in word.split(","))


def _whole_consent(given: object) -> Consent:
    if isinstance(given, Mapping):
        flags = {f"consent.{name}": allowed for name, allowed in given.items() if allowed is not None}
        return _sum(name.removeprefix("consent.") for name in flags if read.flag(flags, name))
    if isinstance(given, str):
        return consent_of_text(given)
    if isinstance(given, list | tuple):
        return _sum(str(part).strip().lower() for part in given)
    raise InvalidInput("consent", given, _CONSENT_ALLOWED)


def _sum(names: Iterable[str]) -> Consent:
    consent = Consent.NONE
    for name in names:
        if name not in _FLAGS:
            raise InvalidInput("consent", name, _CONSENT_ALLOWED)
        consent |= _FLAGS[name]
    return consent
