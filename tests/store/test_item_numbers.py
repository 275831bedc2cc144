"""What is remembered of the catalogue while events come is what the catalogue says at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from stored import Place, connected

from recommender.events import Consent, Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.store import EventStatus, Store, item_numbers, open_store
from recommender.store.connection import Connection
from recommender.store.item_numbers import ItemNumbers

ACCEPTED, REJECTED = EventStatus.ACCEPTED, EventStatus.REJECTED


@pytest.fixture
def connection(shop: Store, place: Place) -> Iterator[Connection]:
    opened = connected(place)
    yield opened
    opened.close()


def click(store: Store, event_id: str, item_id: str, now: datetime) -> EventStatus:
    event = Event(event_id, EventType.CLICK, Subject.user("u"), item_id)
    return store.record_events([event], now=now, consent_default=Consent.ALL)[0].status


def test_an_item_deleted_made_and_made_anew_elsewhere_is_what_it_is_now(shop: Store, place: Place, now: datetime) -> None:
    assert (click(shop, "a", "i1", now), click(shop, "b", "i601", now)) == (ACCEPTED, REJECTED)
    with open_store(place) as other:
        other.delete_items(["i1"], now=now)
        other.upsert_items([Item("i601", ItemKind.MEDIA)], now=now)
        assert (click(shop, "c", "i1", now), click(shop, "b", "i601", now)) == (REJECTED, ACCEPTED)
        other.upsert_items([Item("i1", ItemKind.MEDIA)], now=now)
        assert click(shop, "c", "i1", now) == ACCEPTED


def test_what_is_remembered_is_not_read_again(connection: Connection) -> None:
    items = ItemNumbers()
    assert items.numbers(connection, {"i1", "i2"})["i2"] == 2
    connection.execute("DELETE FROM items WHERE number = 1")
    assert items.numbers(connection, {"i1"})["i1"] == 1


def test_no_more_is_remembered_than_may_be(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_numbers, "REMEMBERED", 10)
    items = ItemNumbers()
    for start in range(1, 500, 6):
        wanted = {f"i{number}" for number in range(start, start + 7)}
        found = items.numbers(connection, wanted)
        assert {item_id: found[item_id] for item_id in wanted} == {f"i{number}": number for number in range(start, start + 7)}
        assert len(found) <= 10


def test_what_was_rolled_back_is_forgotten(shop: Store, place: Place, now: datetime) -> None:
    items, lost, later = ItemNumbers(), connected(place), connected(place)
    lost.execute("BEGIN")
    lost.execute("UPDATE items SET id = 'renamed', change = 601 WHERE number = 7")
    assert items.numbers(lost, {"renamed", "i7"}).keys() == {"renamed"}
    lost.close()
    shop.delete_items(["i9"], now=now)
    assert items.numbers(later, {"renamed", "i7", "i9"}) == {"i7": 7}
    later.close()
