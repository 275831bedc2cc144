from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from stored import Place, rows

from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind, ItemState
from recommender.store import EventStatus, Store, open_store
from recommender.times import to_micros

ANN = Subject.user("ann")
ACCEPTED, DUPLICATE, REJECTED = EventStatus.ACCEPTED, EventStatus.DUPLICATE, EventStatus.REJECTED


def click(event_id: str, item: str = "i1", *, at: datetime | None = None, subject: Subject = ANN) -> Event:
    return Event(event_id, EventType.CLICK, subject, item, at=at)


def recorded(store: Store, *events: Event, now: datetime, consent: Consent = Consent.ALL) -> list[EventStatus]:
    outcomes = store.record_events(events, now=now, consent_default=consent)
    assert [outcome.event_id for outcome in outcomes] == [event.id for event in events]
    return [outcome.status for outcome in outcomes]


def everything(store: Store, **limits: int) -> pa.Table:
    batches = list(store.iter_events(upto=limits.pop("upto", store.change_sequence()), **limits))
    return pa.Table.from_batches(batches) if batches else pa.table({})


def test_an_event_id_counts_once_in_a_call_and_over_calls(shop: Store, now: datetime) -> None:
    assert recorded(shop, click("a"), click("b"), click("a", "i2"), now=now) == [ACCEPTED, ACCEPTED, DUPLICATE]
    assert recorded(shop, click("b"), click("c"), now=now) == [DUPLICATE, ACCEPTED]
    assert shop.counts().events == 3
    assert len(shop.read_person(ANN).person.history) == 3


def test_an_event_id_counts_once_over_a_restart(shop: Store, place: Place, now: datetime) -> None:
    recorded(shop, click("a"), now=now)
    shop.close()
    with open_store(place) as reopened:
        assert recorded(reopened, click("a"), now=now) == [DUPLICATE]


def test_a_retry_after_midnight_of_an_event_without_time_is_a_duplicate(shop: Store, now: datetime) -> None:
    late = now.replace(hour=23, minute=59, second=59)
    assert recorded(shop, click("a"), now=late) == [ACCEPTED]
    assert recorded(shop, click("a"), now=late + timedelta(seconds=2)) == [DUPLICATE]


def test_within_the_window_an_id_is_recognised_whatever_the_time(shop: Store, now: datetime) -> None:
    recorded(shop, click("a", at=now - timedelta(days=14)), now=now)
    assert recorded(shop, click("a", at=now - timedelta(days=400)), now=now) == [DUPLICATE]
    assert recorded(shop, click("a"), now=now) == [DUPLICATE]


def test_before_the_window_an_id_is_recognised_on_its_own_day_only(shop: Store, now: datetime) -> None:
    old = now - timedelta(days=400)
    recorded(shop, click("a", at=old), now=now)
    assert recorded(shop, click("a", at=old + timedelta(minutes=1)), now=now) == [DUPLICATE]
    assert recorded(shop, click("a", at=old + timedelta(days=1)), now=now) == [ACCEPTED]


def test_the_window_is_as_long_as_the_store_was_opened_with(shop: Store, place: Place, now: datetime) -> None:
    recorded(shop, click("a", at=now - timedelta(days=3)), now=now)
    with open_store(place, dedup_days=2) as short, open_store(place, dedup_days=3) as long:
        assert recorded(long, click("a"), now=now) == [DUPLICATE]
        assert recorded(short, click("a"), now=now) == [ACCEPTED]


def test_an_event_slightly_ahead_is_recognised_on_the_next_day(shop: Store, now: datetime) -> None:
    late = now.replace(hour=23, minute=59)
    assert recorded(shop, click("a", at=late + timedelta(minutes=3)), now=late) == [ACCEPTED]
    assert recorded(shop, click("a"), now=late) == [DUPLICATE]
    assert shop.event_days() == [date(2026, 3, 15)]


def test_the_future_is_refused_beyond_the_tolerance(shop: Store, now: datetime) -> None:
    at = now + timedelta(seconds=300)
    (accepted, rejected) = shop.record_events(
        [click("a", at=at), click("b", at=at + timedelta(microseconds=1))], now=now, consent_default=Consent.ALL
    )
    assert (accepted.status, rejected.status) == (ACCEPTED, REJECTED)
    assert "at: given '2026-03-14T12:05:00.000001+00:00'" in rejected.message
    assert "at most 300 s after" in rejected.message


def test_events_from_before_the_oldest_time_allowed_are_refused_and_make_no_day(shop: Store, now: datetime) -> None:
    oldest = now - timedelta(days=30)
    events = [
        click("a", at=oldest),
        click("b", at=oldest - timedelta(microseconds=1)),
        click("c"),
        click("d", at=datetime.min.replace(tzinfo=UTC)),
    ]
    outcomes = shop.record_events(events, now=now, consent_default=Consent.ALL, oldest=oldest)
    assert [outcome.status for outcome in outcomes] == [ACCEPTED, REJECTED, ACCEPTED, REJECTED]
    assert outcomes[1].message == (
        "at: given '2026-02-12T11:59:59.999999+00:00', allowed: 2026-02-12T12:00:00+00:00 or later; older events can be imported"
    )
    assert shop.event_days() == [date(2026, 2, 12), date(2026, 3, 14)]
    assert shop.read_person(ANN).person.history["at"].tolist() == [to_micros(oldest), to_micros(now)]
    assert recorded(shop, events[1], now=now) == [ACCEPTED]


def test_unknown_and_deleted_items_are_refused_and_hidden_ones_taken(shop: Store, now: datetime) -> None:
    shop.delete_items(["i2"], now=now)
    shop.set_state(["i3"], ItemState.HIDDEN, now=now)
    outcomes = shop.record_events([click("a", "nobody"), click("b", "i2"), click("c", "i3")], now=now, consent_default=Consent.ALL)
    assert [outcome.status for outcome in outcomes] == [REJECTED, REJECTED, ACCEPTED]
    assert outcomes[0].message == "item_id: given 'nobody', allowed: the id of an item in the catalogue"
    assert shop.read_person(ANN).person.history["item"].tolist() == [3]


def test_a_refused_event_may_come_again_once_its_item_is_there(store: Store, now: datetime) -> None:
    assert recorded(store, click("a", "new"), click("a", "new"), now=now) == [REJECTED, REJECTED]
    store.upsert_items([Item("new", ItemKind.ARTICLE)], now=now)
    assert recorded(store, click("a", "new"), now=now) == [ACCEPTED]


def test_a_call_without_events_is_answered_without_outcomes(store: Store, now: datetime) -> None:
    assert store.record_events([], now=now, consent_default=Consent.ALL) == []


def test_every_year_of_the_calendar_has_its_days(shop: Store, now: datetime) -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    moments = [first, datetime(987, 6, 5, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, tzinfo=UTC), last]
    events = [click(f"e{place}", at=moment) for place, moment in enumerate(moments)]
    assert recorded(shop, *events, now=last) == [ACCEPTED] * 4
    assert shop.event_days() == [date(1, 1, 1), date(987, 6, 5), date(1969, 12, 31), date(9999, 12, 31)]
    assert everything(shop)["at"].to_pylist() == [to_micros(moment) for moment in moments]


def test_a_moment_before_the_year_one_in_utc_is_refused(shop: Store, now: datetime) -> None:
    moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert recorded(shop, click("a", at=moment), click("b"), now=now) == [REJECTED, ACCEPTED]


def test_now_must_have_an_offset(shop: Store) -> None:
    with pytest.raises(InvalidInput, match="offset"):
        shop.record_events([click("a")], now=datetime(2026, 1, 1), consent_default=Consent.ALL)


def test_events_are_read_by_day_and_then_by_arrival(shop: Store, now: datetime) -> None:
    base = shop.change_sequence()
    days = [0, 2, 1, 2, 0]
    recorded(shop, *[click(f"e{place}", f"i{place + 1}", at=now - timedelta(days=day)) for place, day in enumerate(days)], now=now)
    recorded(shop, click("late", "i9", at=now - timedelta(days=2, hours=5)), now=now)
    table = everything(shop)
    assert table["sequence"].to_pylist() == [base + 2, base + 4, base + 6, base + 3, base + 1, base + 5]
    assert table["item"].to_pylist() == [2, 4, 9, 3, 1, 5]
    assert shop.event_days() == [date(2026, 3, 12), date(2026, 3, 13), date(2026, 3, 14)]


def test_a_reader_sees_exactly_what_lies_between_its_watermarks(shop: Store, now: datetime) -> None:
    base = shop.change_sequence()
    for place in range(6):
        recorded(shop, click(f"e{place}", at=now - timedelta(days=place % 2)), now=now)
    assert sorted(everything(shop, since=base + 2, upto=base + 5)["sequence"].to_pylist()) == [base + 3, base + 4, base + 5]
    assert [shop.count_events(upto=base + done) for done in range(7)] == [0, 1, 2, 3, 4, 5, 6]
    assert list(shop.iter_events(upto=base)) == []
    assert list(shop.iter_events(since=base + 6, upto=base + 100)) == []


def test_batches_are_as_long_as_asked_and_none_is_empty(shop: Store, now: datetime) -> None:
    recorded(shop, *[click(f"e{place}", at=now - timedelta(days=place % 3)) for place in range(20)], now=now)
    upto = shop.change_sequence()
    batches = list(shop.iter_events(upto=upto, batch=6))
    assert [batch.num_rows for batch in batches] == [6, 6, 6, 2]
    assert pa.Table.from_batches(batches)["sequence"].to_pylist() == everything(shop)["sequence"].to_pylist()


def test_columns_have_their_types_and_absent_numbers_are_nan(shop: Store, now: datetime) -> None:
    bob = Subject.session("ann")
    events = [
        Event("a", EventType.WATCH, ANN, "i2", portion=0.25, dwell_s=12.5),
        Event("b", EventType.PURCHASE, bob, "i3", value=9.5, consent=Consent.TRAIN),
    ]
    recorded(shop, *events, now=now, consent=Consent.ALL)
    (batch,) = shop.iter_events(upto=shop.change_sequence())
    assert [(field.name, str(field.type)) for field in batch.schema] == [
        ("sequence", "int64"),
        ("person", "uint32"),
        ("item", "uint32"),
        ("type", "uint8"),
        ("value", "float"),
        ("portion", "float"),
        ("dwell_s", "float"),
        ("at", "int64"),
        ("consent", "uint8"),
    ]
    nan = float("nan")
    assert batch["person"].to_pylist() == [1, 2]
    assert batch["type"].to_pylist() == [int(EventType.WATCH), int(EventType.PURCHASE)]
    assert np.array_equal(batch["value"].to_numpy(), np.array([nan, 9.5], dtype=np.float32), equal_nan=True)
    assert np.array_equal(batch["portion"].to_numpy(), np.array([0.25, nan], dtype=np.float32), equal_nan=True)
    assert np.array_equal(batch["dwell_s"].to_numpy(), np.array([12.5, nan], dtype=np.float32), equal_nan=True)
    assert batch["at"].to_pylist() == [to_micros(now)] * 2
    assert batch["consent"].to_pylist() == [int(Consent.ALL), int(Consent.TRAIN)]


def test_the_default_consent_is_kept_with_events_that_say_nothing(shop: Store, now: datetime) -> None:
    recorded(shop, click("a"), now=now, consent=Consent.NONE)
    recorded(shop, click("b"), now=now, consent=Consent.MEASURE | Consent.TRAIN)
    assert everything(shop)["consent"].to_pylist() == [0, 6]


def test_token_context_and_custom_name_are_kept(shop: Store, place: Place, now: datetime) -> None:
    event = Event("é", EventType.CUSTOM, ANN, "i1", custom="zoom", token="t0k3n", context={"page": "hömé", "ab": "1"})
    recorded(shop, event, now=now)
    (row,) = rows(place, "SELECT id, custom, token, context FROM events_20260314")
    assert row[:3] == ("é", "zoom", "t0k3n")
    assert json.loads(row[3]) == {"ab": "1", "page": "hömé"}


def test_many_events_in_one_call_are_all_judged(shop: Store, now: datetime) -> None:
    events = [click(f"e{place % 1500}", f"i{place % 600 + 1}", at=now - timedelta(days=place % 1500 % 40)) for place in range(3000)]
    statuses = recorded(shop, *events, now=now)
    assert statuses == [ACCEPTED] * 1500 + [DUPLICATE] * 1500
    assert recorded(shop, *events, now=now) == [DUPLICATE] * 3000
    assert shop.counts().events == everything(shop).num_rows == 1500


def said(events: pa.Table, name: str) -> list[str]:
    """What the events' contexts say under `name`, in the order of their ids of arrival."""
    return events.sort_by("sequence")[f"context.{name}"].to_pylist()


def test_entries_of_contexts_are_read_as_columns_where_they_are_asked_for(shop: Store, now: datetime) -> None:
    contexts: list[dict[str, str]] = [{"region": "FR-ARA", "segment": "été"}, {}, {"page": "1"}, {"region": "FR-ARA"}, {"region": ""}]
    recorded(shop, *[Event(f"e{n}", EventType.CLICK, ANN, "i1", context=context) for n, context in enumerate(contexts)], now=now)
    events = pa.Table.from_batches(shop.iter_events(upto=shop.change_sequence(), context=("region", "segment")))
    assert said(events, "region") == ["FR-ARA", "", "", "FR-ARA", ""]
    assert said(events, "segment") == ["été", "", "", "", ""]
    assert "context.region" not in everything(shop).column_names


def test_contexts_are_read_over_batches_and_days(shop: Store, now: datetime) -> None:
    events = [
        Event(f"e{n}", EventType.CLICK, ANN, "i1", at=now - timedelta(days=n % 3), context={"region": f"R{n % 4}"}) for n in range(11)
    ]
    recorded(shop, *events, now=now)
    batches = shop.iter_events(upto=shop.change_sequence(), batch=4, context=("region",))
    # Each batch has its own dictionary of values.
    read = {
        sequence: region for batch in batches for sequence, region in zip(batch["sequence"].to_pylist(), batch[9].to_pylist(), strict=True)
    }
    assert [read[sequence] for sequence in sorted(read)] == [f"R{n % 4}" for n in range(11)]


def test_the_newest_events_come_first_and_none_of_before_the_first_day(shop: Store, now: datetime) -> None:
    base = shop.change_sequence()
    events = [click(f"e{place}", at=now - timedelta(days=place % 4)) for place in range(12)]
    recorded(shop, *events, now=now)
    upto = shop.change_sequence()
    recorded(shop, click("late"), now=now)

    batches = list(shop.iter_newest_events(first_day=(now - timedelta(days=2)).date(), upto=upto, batch=2, context=("region",)))

    # Of day 0 the events 0, 4 and 8, of day 1 the events 1, 5 and 9, of day 2 the events 2, 6 and 10; each day ends its batch.
    assert [batch.num_rows for batch in batches] == [2, 1] * 3
    sequences = [sequence - base - 1 for batch in batches for sequence in batch["sequence"].to_pylist()]
    assert sequences == [8, 4, 0, 9, 5, 1, 10, 6, 2]
    assert set(pa.Table.from_batches(batches)["context.region"].to_pylist()) == {""}
    assert list(shop.iter_newest_events(first_day=(now + timedelta(days=1)).date(), upto=upto)) == []
    [newer] = shop.iter_newest_events(first_day=now.date(), since=upto, upto=shop.change_sequence())
    assert newer["sequence"].to_pylist() == [upto + 1]
