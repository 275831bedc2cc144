"""The catalogue over the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from waiting import soon

from recommender.items import Item, ItemKind, ItemState
from recommender.v1 import catalog_pb2, types_pb2
from server.reading import item_of

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

CREATED, UPDATED, UNCHANGED = (
    catalog_pb2.UPSERT_STATUS_CREATED,
    catalog_pb2.UPSERT_STATUS_UPDATED,
    catalog_pb2.UPSERT_STATUS_UNCHANGED,
)

FULL = Item(
    id="full",
    kind=ItemKind.PRODUCT,
    title="Tea – grün",
    text="Leaves.",
    language="pt-BR",
    categories=("drink", "tea"),
    tags=("green",),
    author="A. Grower",
    brand="Leaf",
    owner="Shop",
    published_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    valid_from=datetime(1, 1, 1, tzinfo=UTC),
    valid_to=datetime(9999, 12, 31, tzinfo=UTC),
    price=0.0,
    image_url="https://example.org/tea.png",
    embedding=np.array([0.25, -1.5], dtype=np.float32),
    attributes={"organic": True, "grams": 100.0, "origin": "Assam"},
)


def stored(live: Deployment, item_id: str) -> Item:
    """The item as it is kept."""
    return item_of(live.client.get_items([item_id]).items[0].item)


def test_an_item_comes_back_as_it_was_sent(live: Deployment) -> None:
    [result] = live.client.upsert_items([FULL]).results
    [stored] = live.client.get_items(["full"]).items

    item = item_of(stored.item)
    assert (result.item_id, result.status) == ("full", CREATED)
    for name in FULL.__dataclass_fields__:
        given, kept = getattr(FULL, name), getattr(item, name)
        assert np.array_equal(kept, given) if name == "embedding" else kept == given, name
    assert stored.state == types_pb2.ITEM_STATE_LIVE
    assert stored.updated_at.seconds > FULL.published_at.timestamp()  # type: ignore[union-attr]


def test_an_upsert_says_what_it_did_and_whose_text_waits_to_be_embedded(live: Deployment) -> None:
    client = live.client
    known = Item(id="comedy-00", kind=ItemKind.MEDIA, title="Comedy 0", text="A comedy.", language="en", categories=("comedy",), price=3.0)
    retitled = Item(id="comedy-00", kind=ItemKind.MEDIA, title="Another", categories=("comedy",))
    new = Item(id="new", kind=ItemKind.MEDIA, title="New")

    priced, again, renamed, created = (client.upsert_items([item]) for item in (known, known, retitled, new))
    live.server.live.refresh()
    twice = client.upsert_items([new])

    statuses = [(answer.results[0].status, answer.results[0].awaits_embedding) for answer in (priced, again, renamed, created, twice)]
    assert statuses == [(UPDATED, False), (UNCHANGED, False), (UPDATED, True), (CREATED, True), (UNCHANGED, True)]
    assert {answer.note for answer in (renamed, created, twice)} == {created.note}
    assert priced.note == again.note == ""
    assert created.note.startswith("the text of 1 item waits for `recommender watch` to embed it")


def test_an_upsert_of_what_the_serving_generation_has_already_awaits_nothing(live: Deployment, world: World) -> None:
    same, retitled = stored(live, "comedy-00"), Item(id="comedy-00", kind=ItemKind.MEDIA, title="B")
    unchanged = live.client.upsert_items([same])
    live.client.upsert_items([retitled])
    world.publish()
    live.server.live.look()

    rebuilt = live.client.upsert_items([retitled])

    for answer in (unchanged, rebuilt):
        assert (answer.results[0].status, answer.results[0].awaits_embedding, answer.note) == (UNCHANGED, False, "")


def test_a_new_price_is_filtered_by_in_a_moment(live: Deployment) -> None:
    before = live.ids(user="ann", filter="price > 800.0")
    live.client.upsert_items([replace(stored(live, "comedy-00"), price=900.0)])
    assert soon(lambda: live.ids(user="ann", filter="price > 800.0") == ["comedy-00"])

    assert before == []


def test_of_one_id_twice_in_a_call_the_last_counts(live: Deployment) -> None:
    answer = live.client.upsert_items([Item(id="x", kind=ItemKind.MEDIA, title=title) for title in ("first", "last")])

    assert len(answer.results) == 2
    assert live.client.get_items(["x"]).items[0].item.title == "last"


def test_only_items_with_words_of_their_own_wait_to_be_embedded(serve: Serve) -> None:
    new = [Item(id=f"n{number}", kind=ItemKind.MEDIA, title="a title") for number in range(3)]
    bare, own = Item(id="bare", kind=ItemKind.MEDIA), Item(id="own", kind=ItemKind.MEDIA, title="t", embedding=np.ones(4, dtype=np.float32))
    answer = serve().client.upsert_items([*new, bare, own])

    assert [result.awaits_embedding for result in answer.results] == [True] * 3 + [False] * 2
    assert answer.note.startswith("the texts of 3 items wait")


def test_unknown_ids_are_reported_and_not_fatal(live: Deployment) -> None:
    client = live.client
    read = client.get_items(["atlantis", "comedy-01", "comedy-00", "comedy-01"])
    hidden = client.set_state(["comedy-00", "atlantis"], ItemState.HIDDEN)
    deleted = client.delete_items(["atlantis", "comedy-00"])

    assert ([stored.item.id for stored in read.items], list(read.unknown_item_ids)) == (["comedy-01", "comedy-00"], ["atlantis"])
    assert (hidden.changed, list(hidden.unknown_item_ids)) == (1, ["atlantis"])
    assert (deleted.deleted, list(deleted.unknown_item_ids)) == (1, ["atlantis"])
    assert list(client.get_items(["comedy-00"]).unknown_item_ids) == ["comedy-00"]


def test_a_hidden_item_is_read_as_hidden(live: Deployment) -> None:
    live.client.set_state(["comedy-00"], ItemState.HIDDEN)

    assert live.client.get_items(["comedy-00"]).items[0].state == types_pb2.ITEM_STATE_HIDDEN


def test_a_new_item_shows_after_the_next_generation(live: Deployment, world: World) -> None:
    live.client.upsert_items([Item(id="drama-12", kind=ItemKind.MEDIA, title="Drama 12", categories=("drama",))])
    before = live.ids(user="ann", page_size=100)

    world.publish()
    live.server.live.look()

    assert "drama-12" not in before
    assert "drama-12" in live.ids(user="ann", page_size=100)


def test_a_validity_that_is_moved_counts_at_once(live: Deployment) -> None:
    gone = Item(
        id="comedy-00",
        kind=ItemKind.MEDIA,
        title="Comedy 0",
        text="A comedy.",
        categories=("comedy",),
        valid_to=datetime(2020, 1, 1, tzinfo=UTC),
    )
    assert "comedy-00" in live.ids(user="ann")

    live.client.upsert_items([gone])

    assert "comedy-00" not in live.ids(user="ann")
