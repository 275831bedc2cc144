"""Items that came after the generation was built: in feeds a moment later, by all that is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from waiting import soon

from recommender.events import EventType
from recommender.feeds import Degradation, SourceName
from recommender.items import Item, ItemKind, ItemState
from recommender.segments import Base, Delta, Segments

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

COMEDY = np.array([1.0, 0.0, 0.0, 0.01], dtype=np.float32)
NEWS = np.array([0.0, 0.0, 1.0, 0.01], dtype=np.float32)
NOW = datetime.now(UTC)


def film(item_id: str = "new", **more: object) -> Item:
    given = {"title": f"Film {item_id}", "kind": ItemKind.MEDIA, "categories": ("comedy",), "published_at": NOW - timedelta(minutes=5)}
    return Item(id=item_id, **(given | more))  # type: ignore[arg-type]


def shown(live: Deployment, **wanted: object) -> set[str]:
    return set(live.ids(user="ann", page_size=60, **wanted))


def segment(world: World, *items: Item, vectors: Sequence[np.ndarray] = ()) -> None:
    """Write what a watcher would of `items`, with these vectors, or all with that of comedies."""
    current = world.generations.current_id()
    assert current is not None
    manifest = world.generations.manifest(current)
    segments = Segments(world.data / "deltas", Base.of(manifest))
    with world.open() as store:
        stored = store.get_items([item.id for item in items])
        upto = store.change_sequence()
    given = np.stack(vectors or [COMEDY] * len(items))
    unit = (given / np.linalg.norm(given, axis=1, keepdims=True)).astype(np.float32)
    delta = Delta.of([(each.number, each.state, each.item) for each in stored], unit, dimension=4)
    segments.add(delta, max(manifest.watermark, segments.last) + 1, upto)


def test_a_new_item_is_in_feeds_a_moment_after_it_was_sent(live: Deployment) -> None:
    live.client.upsert_items([film()])

    assert soon(lambda: "new" in shown(live))
    [item] = [item for item in live.client.get_feed(user="ann", page_size=60).items if item.id == "new"]
    assert item.title == "Film new"
    assert "new" in {item.id for item in live.client.get_feed(user="ann", filter='"comedy" in categories', page_size=60).items}


def test_every_server_of_the_store_shows_it(live: Deployment, serve: Serve) -> None:
    other = serve()
    live.client.upsert_items([film()])

    assert soon(lambda: "new" in shown(other))


def test_a_new_item_may_be_clicked_asked_about_ranked_and_excluded(live: Deployment, world: World) -> None:
    live.client.upsert_items([film()])
    segment(world, film())
    assert soon(lambda: "new" in [item.id for item in live.client.get_similar(["comedy-01"], page_size=30).items])
    [item] = [item for item in live.client.get_feed(user="ann", page_size=60).items if item.id == "new"]

    assert live.act("new", EventType.LIKE, user="ann", token=item.token) == "taken"
    assert "new" not in shown(live)
    feed = live.client.get_feed(user="ann", page_size=5, explain=True)
    assert all(item.id.startswith("comedy") for item in feed.items)
    assert all(item.explanation[0].source is SourceName.CONTENT for item in feed.items)
    similar = live.client.get_similar(["new"], page_size=3).items[0]
    assert similar.id.startswith("comedy")
    assert (similar.reason, similar.because) == ("Similar to Film new", ("new",))
    assert {item.id for item in live.client.rank(["new", "news-00"], user="bob").items} == {"new", "news-00"}
    assert "new" not in [item.id for item in live.client.get_feed(user="bob", exclude=["new"], page_size=60).items]


def test_what_is_like_a_persons_history_comes_before_what_is_not_once_it_is_embedded(live: Deployment, world: World) -> None:
    live.act("comedy-03", EventType.LIKE, user="ann")
    items = [film(name, published_at=None, categories=()) for name in ("odd", "funny")]
    live.client.upsert_items(items)

    def order() -> list[str]:
        return [item for item in live.ids(user="ann", page_size=60) if item in ("odd", "funny")]

    assert soon(lambda: order() == ["odd", "funny"])
    segment(world, *items, vectors=[NEWS, COMEDY])
    assert soon(lambda: order() == ["funny", "odd"])


def test_hiding_and_deleting_new_items_acts_on_the_next_request(live: Deployment, serve: Serve) -> None:
    other = serve()
    for number in range(20):
        item = film(f"n{number}")
        live.client.upsert_items([item])
        assert soon(lambda item=item: item.id in shown(other))  # type: ignore[misc]
        if number % 2:
            live.client.delete_items([item.id])
        else:
            live.client.set_state([item.id], ItemState.HIDDEN)
        assert item.id not in shown(other)
        assert item.id not in shown(live)


def test_a_page_that_was_decided_before_goes_on_with_new_items_and_without_those_hidden_since(live: Deployment) -> None:
    live.client.upsert_items([film(f"n{number}") for number in range(6)])
    assert soon(lambda: {f"n{number}" for number in range(6)} <= shown(live))
    whole = live.ids(user="ann", page_size=36)
    first = live.client.get_feed(user="ann", page_size=10)
    hidden = next(item for item in whole[10:] if item.startswith("n"))
    live.client.set_state([hidden], ItemState.HIDDEN)
    second = live.client.get_feed(user="ann", page_size=26, page_token=first.next_page_token)

    assert [item.id for item in first.items] + [item.id for item in second.items] == [item for item in whole if item != hidden]


def test_a_changed_title_and_price_are_shown_and_filtered_by(live: Deployment) -> None:
    [stored] = live.client.get_items(["comedy-00"]).items
    before = live.ids(user="ann", page_size=60)
    changed = Item(id="comedy-00", kind=ItemKind.MEDIA, title="Comedy 0, uncut", categories=("comedy",), price=77.0)
    live.client.upsert_items([changed])

    assert soon(lambda: live.ids(user="ann", filter="price == 77.0") == ["comedy-00"])
    [item] = live.client.get_feed(user="ann", filter="price == 77.0").items
    assert item.title == "Comedy 0, uncut"
    # What people did with it still counts.
    assert live.ids(user="ann", page_size=60).index("comedy-00") <= before.index("comedy-00") + 1
    assert stored.item.title == "Comedy 0"


def test_answers_tell_when_new_items_wait_too_long_to_be_embedded(serve: Serve, world: World) -> None:
    world.publish()
    live = serve(embedding_patience_s=0.2)
    plain = live.client.get_feed(user="ann")
    live.client.upsert_items([film()])

    assert soon(lambda: live.client.get_feed(user="ann").degraded == (Degradation("new_items", "unembedded"),))
    segment(world, film())
    assert soon(lambda: not live.client.get_feed(user="ann").degraded)
    assert not plain.degraded


def test_an_item_with_a_vector_of_its_own_waits_for_nobody(serve: Serve, world: World) -> None:
    world.publish()
    live = serve(embedding_patience_s=0.1)
    live.client.upsert_items([film(embedding=COMEDY, published_at=None)])

    assert soon(lambda: "new" in [item.id for item in live.client.get_similar(["comedy-00"], page_size=40).items])
    assert not live.client.get_feed(user="ann").degraded


def test_new_items_stay_when_another_generation_takes_over(live: Deployment, world: World) -> None:
    with world.open() as store:
        before = store.change_sequence()
    live.client.upsert_items([film()])
    assert soon(lambda: "new" in shown(live))
    # As of a build that had begun before the item came.
    world.publish(upto=before)
    answers = [live.client.get_feed(user="ann", page_size=60)]

    def taken_over() -> bool:
        answers.append(live.client.get_feed(user="ann", page_size=60))
        return answers[-1].generation_id != answers[0].generation_id

    assert soon(taken_over)
    assert all("new" in {item.id for item in answer.items} for answer in answers)


def test_a_damaged_segment_is_left_out_and_the_item_shown_without_it(serve: Serve, world: World) -> None:
    world.publish()
    with world.open() as store:
        store.upsert_items([film()], now=NOW)
    segment(world, film())
    [folder] = [path for path in (world.data / "deltas").glob("*/*") if path.is_dir()]
    (folder / "vectors.npy").write_bytes(b"nothing of the kind")
    live = serve()

    assert soon(lambda: "new" in shown(live))


def test_what_people_take_up_is_popular_a_moment_later_on_every_server(serve: Serve, world: World) -> None:
    world.publish()
    live, other = serve(counts_poll_s=0.05), serve(counts_poll_s=0.05)
    assert [item.id for item in live.client.get_popular(page_size=1).items] == ["comedy-00"]
    live.client.upsert_items([film()])
    assert soon(lambda: "new" in shown(other))

    for person in range(60):
        live.act("new", EventType.LIKE, user=f"person-{person}")

    assert soon(lambda: [item.id for item in other.client.get_popular(page_size=1).items] == ["new"])
    assert soon(lambda: [item.id for item in live.client.get_popular(page_size=1).items] == ["new"])
