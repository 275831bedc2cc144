from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from stored import Place, rows

from recommender.errors import InvalidInput
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind, ItemState
from recommender.store import Store, Upserted, UpsertStatus
from recommender.times import MISSING_TIME, to_micros

LATER = timedelta(hours=1)


def a_film(**changes: Any) -> Item:
    fields: dict[str, Any] = {
        "id": "film/1",
        "kind": ItemKind.MEDIA,
        "title": "Heat — “1995”",
        "text": "Two men, one city.\nA 'quote'; DROP TABLE items;",
        "language": "en",
        "categories": ("crime", "thriller, long", "Krimi ✓"),
        "tags": ("heist",),
        "author": "Michael Mann",
        "brand": "Warner",
        "owner": "channel 4",
        "published_at": datetime(1995, 12, 15, 8, 30, 0, 123456, tzinfo=UTC),
        "valid_from": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        "valid_to": datetime(2027, 1, 1, tzinfo=UTC),
        "price": 9.99,
        "image_url": "https://example.org/heat.jpg",
        "embedding": np.array([0.1, -0.2, 0.3], dtype=np.float32),
        "attributes": {"minutes": 170, "colour": True, "studio": "A&B", "rating": 1e-17},
    }
    return Item(**{**fields, **changes})


def test_an_item_reads_back_as_it_was_given(store: Store, now: datetime) -> None:
    given = a_film()
    (upserted,) = store.upsert_items([given], now=now)
    (stored,) = store.get_items(["film/1"])
    assert upserted == Upserted("film/1", 1, UpsertStatus.CREATED, text_changed=True)
    assert (stored.number, stored.state, stored.updated_at, stored.change) == (1, ItemState.LIVE, now, 1)
    for name in given.__dataclass_fields__:
        if name not in ("embedding", "attributes"):
            assert getattr(stored.item, name) == getattr(given, name), name
    assert stored.item.embedding is not None
    assert stored.item.embedding.dtype == np.float32
    assert stored.item.embedding.tolist() == given.embedding.tolist()  # type: ignore[union-attr]
    assert dict(stored.item.attributes) == {"minutes": 170.0, "colour": True, "studio": "A&B", "rating": 1e-17}
    assert stored.item.attributes["colour"] is True


def test_an_item_with_nothing_but_id_and_kind_reads_back_empty(store: Store, now: datetime) -> None:
    store.upsert_items([Item("bare", ItemKind.ARTICLE)], now=now)
    (stored,) = store.get_items(["bare"])
    assert stored.item.embedding is None
    assert stored.item.price is None
    assert (stored.item.published_at, stored.item.valid_from, stored.item.valid_to) == (None, None, None)
    assert (stored.item.title, stored.item.categories, dict(stored.item.attributes)) == ("", (), {})


def test_the_same_item_again_is_unchanged_and_takes_no_sequence_value(store: Store, now: datetime) -> None:
    store.upsert_items([a_film()], now=now)
    (again,) = store.upsert_items([a_film(attributes={"rating": 1e-17, "studio": "A&B", "colour": True, "minutes": 170})], now=now + LATER)
    assert again == Upserted("film/1", 1, UpsertStatus.UNCHANGED, text_changed=False)
    assert store.change_sequence() == 1
    assert store.get_items(["film/1"])[0].updated_at == now


@pytest.mark.parametrize(
    ("changes", "text_changed"),
    [
        ({"title": "Heat"}, True),
        ({"text": ""}, True),
        ({"kind": ItemKind.ARTICLE}, True),
        ({"categories": ("crime",)}, True),
        ({"categories": ("Krimi ✓", "crime", "thriller, long")}, True),
        ({"tags": ()}, True),
        ({"embedding": None}, True),
        ({"embedding": np.array([0.1, -0.2, 0.31], dtype=np.float32)}, True),
        ({"price": 10}, False),
        ({"price": None}, False),
        ({"language": "de"}, False),
        ({"author": ""}, False),
        ({"brand": "W"}, False),
        ({"owner": "O"}, False),
        ({"image_url": ""}, False),
        ({"published_at": None}, False),
        ({"valid_from": None}, False),
        ({"valid_to": datetime(2028, 1, 1, tzinfo=UTC)}, False),
        ({"attributes": {"minutes": 171}}, False),
        ({"attributes": {"minutes": "170", "colour": True, "studio": "A&B", "rating": 1e-17}}, False),
    ],
)
def test_an_update_is_seen_in_every_field_and_says_whether_the_text_changed(
    store: Store, now: datetime, changes: dict[str, Any], text_changed: bool
) -> None:
    store.upsert_items([a_film()], now=now)
    (upserted,) = store.upsert_items([a_film(**changes)], now=now + LATER)
    assert upserted == Upserted("film/1", 1, UpsertStatus.UPDATED, text_changed=text_changed)
    (stored,) = store.get_items(["film/1"])
    assert (stored.updated_at, stored.change) == (now + LATER, 2)
    (name,) = changes
    shown, wanted = getattr(stored.item, name), getattr(a_film(**changes), name)
    assert np.array_equal(shown, wanted) if name == "embedding" and shown is not None else shown == wanted


def test_the_last_of_several_items_with_one_id_counts_and_all_of_them_say_so(store: Store, now: datetime) -> None:
    results = store.upsert_items([a_film(title="first"), Item("other", ItemKind.ARTICLE), a_film(title="second")], now=now)
    assert [(result.item_id, result.number) for result in results] == [("film/1", 1), ("other", 2), ("film/1", 1)]
    assert store.get_items(["film/1"])[0].item.title == "second"
    assert store.change_sequence() == 2


def test_a_hidden_item_stays_hidden_when_it_is_sent_again(store: Store, now: datetime) -> None:
    store.upsert_items([a_film()], now=now)
    assert store.set_state(["film/1"], ItemState.HIDDEN, now=now) == (1, [])
    (upserted,) = store.upsert_items([a_film(title="new")], now=now)
    assert upserted.status is UpsertStatus.UPDATED
    assert store.get_items(["film/1"])[0].state is ItemState.HIDDEN


def test_a_deleted_item_is_unknown_and_its_content_is_gone_from_its_row(store: Store, place: Place, now: datetime) -> None:
    store.upsert_items([a_film()], now=now)
    assert store.delete_items(["film/1"], now=now) == (1, [])
    assert store.get_items(["film/1"]) == []
    assert store.get_items_by_number([1]) == []
    assert store.item_numbers(["film/1"]) == {}
    assert store.set_state(["film/1"], ItemState.LIVE, now=now) == (0, ["film/1"])
    assert store.delete_items(["film/1"], now=now) == (0, ["film/1"])
    (row,) = rows(place, "SELECT * FROM items")
    kept = {value for value in row if value not in (None, "", b"", "[]", "{}", 0)}
    assert kept == {1, "film/1", int(ItemState.DELETED), 2, to_micros(now)}


def test_a_deleted_item_comes_back_live_under_its_old_number(store: Store, now: datetime) -> None:
    store.upsert_items([a_film()], now=now)
    store.set_state(["film/1"], ItemState.HIDDEN, now=now)
    store.delete_items(["film/1"], now=now)
    store.upsert_items([Item("new", ItemKind.ARTICLE)], now=now)
    (upserted,) = store.upsert_items([a_film()], now=now)
    assert upserted == Upserted("film/1", 1, UpsertStatus.CREATED, text_changed=True)
    (stored,) = store.get_items(["film/1"])
    assert (stored.state, stored.item.title) == (ItemState.LIVE, a_film().title)
    assert store.item_numbers(["new"]) == {"new": 2}


def test_setting_a_state_counts_changes_and_names_unknown_ids(shop: Store, now: datetime) -> None:
    before = shop.change_sequence()
    assert shop.set_state(["i1", "nobody", "i2", "i1", "nobody"], ItemState.HIDDEN, now=now) == (2, ["nobody"])
    assert shop.set_state(["i1", "i3"], ItemState.HIDDEN, now=now) == (1, [])
    assert shop.change_sequence() == before + 3
    assert shop.set_state(["i1"], ItemState.LIVE, now=now) == (1, [])
    assert [stored.state for stored in shop.get_items(["i1", "i2"])] == [ItemState.LIVE, ItemState.HIDDEN]
    counts = shop.counts()
    assert (counts.items_live, counts.items_hidden, counts.items_deleted) == (598, 2, 0)


def test_deleting_is_not_a_state_to_be_set(shop: Store, now: datetime) -> None:
    with pytest.raises(InvalidInput, match="live or hidden"):
        shop.set_state(["i1"], ItemState.DELETED, now=now)


def test_a_change_tells_when_the_items_present_life_began(store: Store, now: datetime) -> None:
    def first_changes() -> list[int]:
        return [change.first_change for change in sorted(store.catalogue_changes(0), key=lambda change: change.number)]

    store.upsert_items([Item(item_id, ItemKind.ARTICLE) for item_id in "ab"], now=now)
    assert first_changes() == [1, 2]
    store.upsert_items([Item("a", ItemKind.ARTICLE, title="new")], now=now)
    store.set_state(["a"], ItemState.HIDDEN, now=now)
    store.delete_items(["b"], now=now)
    assert first_changes() == [1, 2]
    store.upsert_items([Item("b", ItemKind.ARTICLE, title="anew")], now=now)
    assert first_changes() == [1, 6]
    store.upsert_items([Item("b", ItemKind.ARTICLE, title="newer")], now=now)
    store.set_state(["b"], ItemState.HIDDEN, now=now)
    assert first_changes() == [1, 6]


def test_changes_hold_the_newest_of_each_item_by_sequence(store: Store, now: datetime) -> None:
    store.upsert_items([Item(item_id, ItemKind.ARTICLE) for item_id in "abc"], now=now)
    valid_from, valid_to = now, now + timedelta(days=1)
    store.upsert_items([Item("a", ItemKind.ARTICLE, valid_from=valid_from, valid_to=valid_to)], now=now)
    store.set_state(["b"], ItemState.HIDDEN, now=now)
    store.set_state(["b"], ItemState.LIVE, now=now)
    store.delete_items(["c"], now=now)
    changes = store.catalogue_changes(0)
    assert [(change.sequence, change.number, change.state) for change in changes] == [
        (4, 1, ItemState.LIVE),
        (6, 2, ItemState.LIVE),
        (7, 3, ItemState.DELETED),
    ]
    assert (changes[0].valid_from, changes[0].valid_to) == (to_micros(valid_from), to_micros(valid_to))
    assert (changes[1].valid_from, changes[1].valid_to) == (MISSING_TIME, MISSING_TIME)
    assert [change.number for change in store.catalogue_changes(4)] == [2, 3]
    assert store.catalogue_changes(7) == []


def test_items_and_events_take_their_values_from_one_sequence(store: Store, now: datetime) -> None:
    store.upsert_items([Item("a", ItemKind.ARTICLE)], now=now)
    store.record_events([Event("e", EventType.CLICK, Subject.user("u"), "a")], now=now, consent_default=Consent.ALL)
    assert store.change_sequence() == 2
    store.upsert_items([Item("b", ItemKind.ARTICLE)], now=now)
    assert [change.sequence for change in store.catalogue_changes(0)] == [1, 3]


def test_items_come_in_the_order_asked_without_the_unknown(shop: Store) -> None:
    assert [stored.item.id for stored in shop.get_items(["i7", "nobody", "i3", "i7"])] == ["i7", "i3", "i7"]
    assert [stored.number for stored in shop.get_items_by_number([9, 10_000, 2])] == [9, 2]
    assert shop.item_numbers(["i5", "nobody"]) == {"i5": 5}
    assert shop.get_items([]) == []
    assert shop.upsert_items([], now=datetime(2026, 1, 1, tzinfo=UTC)) == []


def test_long_lists_of_ids_are_answered_whole(shop: Store) -> None:
    asked = [f"i{number}" for number in range(600, 0, -1)]
    assert [stored.number for stored in shop.get_items(asked)] == list(range(600, 0, -1))
    assert shop.item_numbers(asked) == {f"i{number}": number for number in range(1, 601)}


def test_a_walk_gives_what_was_there_at_its_watermark_in_its_present_form(shop: Store, now: datetime) -> None:
    shop.set_state(["i2"], ItemState.HIDDEN, now=now)
    shop.delete_items(["i3"], now=now)
    watermark = shop.change_sequence()
    shop.upsert_items([Item("i1", ItemKind.PRODUCT, title="renamed"), Item("i601", ItemKind.PRODUCT)], now=now)
    shop.delete_items(["i4"], now=now)
    batches = list(shop.iter_items(upto=watermark, batch=250))
    assert [len(batch) for batch in batches] == [250, 250, 98]
    walked = [stored for batch in batches for stored in batch]
    assert [stored.number for stored in walked] == [number for number in range(1, 601) if number not in (3, 4)]
    assert walked[0].item.title == "renamed"
    assert walked[1].state is ItemState.HIDDEN
    assert list(shop.iter_items(upto=0)) == []


def test_a_walk_goes_on_while_others_write(shop: Store, now: datetime) -> None:
    walk = shop.iter_items(upto=shop.change_sequence(), batch=100)
    first = next(walk)
    shop.delete_items(["i150"], now=now)
    rest = [stored.number for batch in walk for stored in batch]
    assert len(first) == 100
    assert rest == [number for number in range(101, 601) if number != 150]


def test_one_time_that_cannot_be_stored_refuses_the_whole_call(store: Store, now: datetime) -> None:
    before_year_one = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    with pytest.raises(InvalidInput, match="published_at"):
        store.upsert_items([Item("a", ItemKind.ARTICLE), Item("b", ItemKind.ARTICLE, published_at=before_year_one)], now=now)
    assert store.counts().items_live == 0


def test_times_at_the_ends_of_the_calendar_read_back(store: Store, now: datetime) -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    store.upsert_items([Item("a", ItemKind.ARTICLE, valid_from=first, valid_to=last)], now=now)
    (stored,) = store.get_items(["a"])
    assert (stored.item.valid_from, stored.item.valid_to) == (first, last)
