"""What the values of a row mean for an event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from indexing.importing.rows_to_events import event_from_row
from recommender.errors import InvalidInput
from recommender.events import Consent, EventType, Subject

LEAST = {"type": "view", "user_id": "u", "item_id": "a", "at": "2026-01-31T20:15:00Z"}


def test_a_row_becomes_the_event_it_describes() -> None:
    event = event_from_row(
        {
            "id": "e1",
            "type": "WATCH",
            "user_id": 7,
            "item_id": 12,
            "at": 1_769_890_000.5,
            "value": "2",
            "portion": 0.5,
            "dwell_s": "61.5",
            "token": "t",
            "context": {"device": "tv", "position": 3, "kids": False, "skip": None},
            "context.shelf": "top",
            "consent": "personalise, train",
        }
    )

    assert (event.id, event.type, event.subject, event.item_id) == ("e1", EventType.WATCH, Subject.user("7"), "12")
    assert event.at == datetime(2026, 1, 31, 20, 6, 40, 500_000, tzinfo=UTC)
    assert (event.value, event.portion, event.dwell_s, event.token) == (2.0, 0.5, 61.5, "t")
    assert event.context == {"device": "tv", "position": "3", "kids": "false", "shelf": "top"}
    assert event.consent == Consent.PERSONALISE | Consent.TRAIN


def test_a_session_is_the_subject_only_where_no_user_is_named() -> None:
    assert event_from_row({**LEAST, "session_id": "s"}).subject == Subject.user("u")
    without_user = {name: value for name, value in LEAST.items() if name != "user_id"}
    assert event_from_row({**without_user, "session_id": "s"}).subject == Subject.session("s")


def test_an_event_without_id_gets_the_same_one_every_time_and_another_one_for_any_other_event() -> None:
    others = [
        {**LEAST, "type": "click"},
        {**LEAST, "user_id": "v"},
        {**LEAST, "item_id": "b"},
        {**LEAST, "at": "2026-01-31T20:15:00.000001Z"},
        {**{name: value for name, value in LEAST.items() if name != "user_id"}, "session_id": "u"},
        {**LEAST, "type": "custom", "custom": "trailer"},
        {**LEAST, "type": "custom", "custom": "credits"},
    ]
    made = [event_from_row(values).id for values in (LEAST, *others)]

    assert made == [event_from_row(values).id for values in (LEAST, *others)]
    assert len(set(made)) == len(made)
    assert event_from_row({**LEAST, "at": "2026-01-31T21:15:00+01:00", "value": 3}).id == made[0]


@pytest.mark.parametrize(
    ("given", "consent"),
    [
        ({}, None),
        ({"consent": "all"}, Consent.ALL),
        ({"consent": " None "}, Consent.NONE),
        ({"consent": "measure"}, Consent.MEASURE),
        ({"consent": "train,measure"}, Consent.TRAIN | Consent.MEASURE),
        ({"consent": ["personalise", "Train"]}, Consent.PERSONALISE | Consent.TRAIN),
        ({"consent": []}, Consent.NONE),
        ({"consent": {"personalise": True, "train": False}}, Consent.PERSONALISE),
        ({"consent.personalise": "true", "consent.train": "0"}, Consent.PERSONALISE),
        ({"consent.train": False}, Consent.NONE),
        ({"consent.personalise": True, "consent.train": True, "consent.measure": 1}, Consent.ALL),
    ],
)
def test_consent_may_be_written_in_several_ways(given: dict[str, object], consent: Consent | None) -> None:
    assert event_from_row({**LEAST, **given}).consent == consent


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": None}, "type"),
        ({"type": "play"}, "type"),
        ({"user_id": None}, "user_id"),
        ({"user_id": "a\tb"}, "user_id"),
        ({"item_id": None}, "item_id"),
        ({"at": None}, "at"),
        ({"at": "soon"}, "at"),
        ({"value": "many"}, "value"),
        ({"value": True}, "value"),
        ({"portion": 0.5}, "type"),
        ({"type": "watch", "portion": 1.5}, "portion"),
        ({"type": "read", "dwell_s": -1}, "dwell_s"),
        ({"type": "custom"}, "custom"),
        ({"custom": "trailer"}, "custom"),
        ({"token": "half \udc00"}, "token"),
        ({"context": {"a": ["list"]}}, "context.a"),
        ({"context": {"half \udc00": "x"}}, "context"),
        ({"context": '{"a"'}, "context"),
        ({"consent": "yes"}, "consent"),
        ({"consent": "all,train"}, "consent"),
        ({"consent": ""}, "consent"),
        ({"consent": {"sell": True}}, "consent"),
        ({"consent": {"train": "maybe"}}, "consent.train"),
        ({"consent": 7}, "consent"),
        ({"consent.train": "maybe"}, "consent.train"),
        ({"consent": "all", "consent.train": "true"}, "consent"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_the_name_of_its_column(given: dict[str, object], field: str) -> None:
    values = {name: value for name, value in {**LEAST, **given}.items() if value is not None}

    with pytest.raises(InvalidInput) as caught:
        event_from_row(values)
    assert caught.value.field == field
