"""Items, events and times refuse what cannot be stored, with the field, what was given and what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from recommender.errors import InvalidInput, shown
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.times import from_micros, parse_time, to_micros

ITEM: dict[str, Any] = {"id": "a", "kind": ItemKind.MEDIA}
EVENT: dict[str, Any] = {"id": "e", "type": EventType.WATCH, "subject": Subject.user("u"), "item_id": "a"}
LATER, EARLIER = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "x" * 257),
        ("id", "line\nbreak"),
        ("id", "\ud800"),
        ("title", "x" * 2_001),
        ("title", "nul\x00"),
        ("text", "x" * 200_001),
        ("author", "x" * 201),
        ("categories", ("",)),
        ("categories", "sports"),
        ("tags", tuple(str(n) for n in range(101))),
        ("published_at", datetime(2026, 1, 1)),
        ("price", -1.0),
        ("price", float("nan")),
        ("embedding", np.zeros(3)),
        ("embedding", np.array([1.0, np.inf])),
        ("embedding", np.ones((2, 2))),
        ("embedding", np.zeros(0)),
        ("attributes", {"not a name": 1}),
        ("attributes", {"x": 10**400}),
        ("attributes", {"x": float("inf")}),
        ("attributes", {"x": ["list"]}),
    ],
)
def test_an_item_that_cannot_be_kept_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        Item(**{**ITEM, field: value})
    assert refused.value.field.split(".")[0] == field
    assert "allowed" in str(refused.value)


def test_an_item_may_not_end_before_it_begins() -> None:
    with pytest.raises(InvalidInput, match="valid_to"):
        Item(**ITEM, valid_from=LATER, valid_to=EARLIER)


def test_an_item_keeps_its_labels_once_and_in_order_and_its_own_copy_of_its_vector() -> None:
    vector = np.ones(4, dtype=np.float32)
    item = Item(**ITEM, categories=("b", "a", "b"), language="EN-gb", embedding=vector, attributes={"year": 1999, "new": True, "by": "x"})
    vector[0] = 9
    assert item.categories == ("b", "a")
    assert item.language == "en-gb"
    assert item.embedding is not None
    assert item.embedding.tolist() == [1, 1, 1, 1]
    assert dict(item.attributes) == {"year": 1999.0, "new": True, "by": "x"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("item_id", "\x7f"),
        ("at", datetime(2026, 1, 1)),
        ("value", float("inf")),
        ("portion", 1.01),
        ("portion", float("nan")),
        ("dwell_s", -1.0),
        ("custom", "named"),
        ("token", "x" * 1_025),
        ("token", "nul\x00"),
        ("context", {"k": "x" * 201}),
        ("context", {"k": "\ud800"}),
    ],
)
def test_an_event_that_cannot_be_kept_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        Event(**{**EVENT, field: value})
    assert refused.value.field == field


def test_only_reads_and_watches_have_a_portion_and_only_custom_events_a_name() -> None:
    with pytest.raises(InvalidInput, match="read or watch"):
        Event(**{**EVENT, "type": EventType.CLICK}, portion=0.5)
    with pytest.raises(InvalidInput, match="custom"):
        Event(**{**EVENT, "type": EventType.CUSTOM})
    assert Event(**{**EVENT, "type": EventType.CUSTOM}, custom="quiz", consent=Consent.TRAIN).custom == "quiz"


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01 02:00:00+02:00", 0),
        ("1970-01-01", 0),
        (100_000_000.5, 100_000_000_500_000),
        (" 1790000000.5 ", 1_790_000_000_500_000),
    ],
)
def test_a_time_is_read_from_iso_text_or_seconds(text: str | float, micros: int) -> None:
    assert to_micros(parse_time(text)) == micros
    assert to_micros(from_micros(micros)) == micros


NO_TIMES = [
    "",
    "yesterday",
    "2026-13-01",
    1995,
    "1995",
    "20260131",
    -1,
    "nan",
    float("nan"),
    1e300,
    "1e300",
    "0001-01-01T00:00:00+05:00",
    10**400,
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_time_that_is_none_is_refused(text: str | float) -> None:
    with pytest.raises(InvalidInput, match="published_at"):
        parse_time(text, "published_at")


def test_a_message_shows_only_the_beginning_of_long_input() -> None:
    assert len(shown("x" * 10_000)) == 200
