"""An event as plain values, which is all that the store needs of it: what calls bring as `Event` and imports in columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from recommender.events import Event

NOTHING_SAID = -1
"""Stands for an absent consent."""

_NAN = float("nan")


class EventRow(NamedTuple):
    """A checked event. `kind` and `subject`: kind and id of the person. `type`: `EventType`. `at`: µs since 1970, of a year from
    1 to 9999 in UTC. `value`, `portion`, `dwell_s`: NaN where absent. `consent`: bits, or `NOTHING_SAID`. `custom`, `token` and
    `context` (as JSON): "" where absent.
    """

    id: str
    kind: int
    subject: str
    item: str
    type: int
    at: int
    value: float = _NAN
    portion: float = _NAN
    dwell_s: float = _NAN
    consent: int = NOTHING_SAID
    custom: str = ""
    token: str = ""
    context: str = ""


def row_of(event: Event, at: int) -> EventRow:
    """The row of an `event` that happened `at` (µs)."""
    return EventRow(
        event.id,
        int(event.subject.kind),
        event.subject.id,
        event.item_id,
        int(event.type),
        at,
        _NAN if event.value is None else event.value,
        _NAN if event.portion is None else event.portion,
        _NAN if event.dwell_s is None else event.dwell_s,
        NOTHING_SAID if event.consent is None else int(event.consent),
        event.custom,
        event.token,
        context_text(event.context) if event.context else "",
    )


def context_text(context: Mapping[str, str]) -> str:
    """A context that is not empty, as it is kept."""
    return json.dumps(dict(context), sort_keys=True)
