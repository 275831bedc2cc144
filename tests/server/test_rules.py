"""Rules of a placement through the wire: what is pinned, told, paged through, recorded and changed while the server runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from waiting import soon

from recommender.client import InvalidArgument, Slate
from recommender.events import Event, EventType, Subject
from recommender.feeds import Placing
from recommender.items import Item, ItemKind
from recommender.served_query import decode_query

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import Deployment, Serve, World

RULES = """
[placements.home]
page_size = 5

[[placements.home.rules]]
name = "top"
do = "pin"
filter = 'id == "news-05"'
slot = 2

[[placements.home.rules]]
name = "further-down"
do = "pin"
filter = 'id == "news-04"'
slot = 7

[[placements.home.rules]]
name = "mixed"
do = "limit"
of = "categories"
at_most = 2
within = 4

[[placements.home.rules]]
name = "vips"
do = "exclude"
filter = 'id == "comedy-00"'
audience = '"vip" in segments && region == "FR"'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "placements.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture
def ruled(world: World, serve: Serve, file: Path) -> Deployment:
    world.publish()
    return serve(placements=file)


def test_pins_stand_at_their_slots_on_every_page_and_say_so(ruled: Deployment) -> None:
    first = ruled.client.get_feed(user="ann")
    second = first.next_page()
    assert second is not None
    pinned = first.items[1], second.items[1]
    assert [item.id for item in pinned] == ["news-05", "news-04"]
    assert [item.placing for item in pinned] == [Placing.PINNED] * 2
    assert [item.reason for item in pinned] == ["Promoted"] * 2
    others = [item for page in (first, second) for item in page.items if item not in pinned]
    assert {item.placing for item in others} == {Placing.RANKED}


def test_all_pages_together_are_one_long_page_without_an_item_twice(ruled: Deployment) -> None:
    pages = [item.id for page in ruled.client.get_feed(user="ann").pages() for item in page.items]
    assert pages == [item.id for item in ruled.client.get_feed(user="ann", page_size=100).items]
    assert len(pages) == len(set(pages)) == 30


def test_a_limit_holds_across_pages(ruled: Deployment) -> None:
    shown = [item.id.split("-")[0] for item in ruled.client.get_feed(user="ann", page_size=10).items]
    assert all(max(shown[start : start + 4].count(taste) for taste in set(shown)) <= 2 for start in range(7))


def test_what_cannot_be_kept_throughout_is_told(ruled: Deployment) -> None:
    assert ruled.client.get_feed(user="ann", filter='"comedy" in categories').broken_rules == ("top", "further-down", "mixed")
    assert ruled.client.get_feed(user="ann", page_size=3, filter='kind == "article"', kinds=()).broken_rules == ("further-down", "mixed")


def test_rules_go_by_what_the_request_says_of_the_reader(ruled: Deployment) -> None:
    assert "comedy-00" in ruled.ids(user="ann", page_size=30)
    assert "comedy-00" in ruled.ids(user="ann", page_size=30, segments=["vip"])
    assert "comedy-00" not in ruled.ids(user="ann", page_size=30, segments=["vip"], region="FR")


def test_what_is_excluded_for_some_readers_is_in_no_answer_of_theirs(ruled: Deployment) -> None:
    client, theirs = ruled.client, {"segments": ["vip"]}
    asked = {
        "similar": lambda **more: client.get_similar(["comedy-01"], page_size=30, region="FR", **more),
        "popular": lambda **more: client.get_popular(page_size=30, region="FR", **more),
        "rank": lambda **more: client.rank(["comedy-00", "comedy-02"], user="ann", region="FR", **more),
        "search": lambda **more: client.search("comedy", page_size=30, region="FR", **more),
    }
    shown = {name: ["comedy-00" in [item.id for item in call(**more).items] for more in ({}, theirs)] for name, call in asked.items()}
    assert set(map(tuple, shown.values())) == {(True, False)}


def test_what_a_reader_muted_is_in_no_answer_and_on_no_page(ruled: Deployment) -> None:
    client = ruled.client
    pages = list(client.get_feed(user="ann", page_size=7, muted_categories=["comedy"]).pages())
    assert sorted(item.id.split("-")[0] for page in pages for item in page.items) == ["drama"] * 12 + ["news"] * 6
    assert "news-05" not in ruled.ids(user="ann", page_size=30, muted_categories=["news"])
    assert {item.split("-")[0] for item in ruled.ids(user="ann", page_size=30, muted_words=["Comedy", "NEWS"])} == {"drama"}
    [slate] = client.get_slates([Slate(page_size=30)], user="ann", muted_categories=["news", "drama"])
    assert {item.id.split("-")[0] for item in slate.items} == {"comedy"}
    for answer in (
        client.get_similar(["comedy-01"], page_size=30, muted_words=["comedy"]),
        client.get_popular(page_size=30, muted_categories=["comedy"]),
        client.rank(["comedy-02", "drama-03"], user="ann", muted_categories=["comedy"]),
        client.search("comedy", page_size=30, muted_words=["comedy"]),
    ):
        assert not [item.id for item in answer.items if item.id.startswith("comedy")]
    with pytest.raises(InvalidArgument, match=r"context.mutes.authors: given '101 labels', allowed: at most 100"):
        client.get_feed(user="ann", muted_authors=[f"a{n}" for n in range(101)])
    with pytest.raises(InvalidArgument, match="page_token"):
        client.get_feed(user="ann", page_size=7, page_token=pages[0].next_page_token)


def test_what_is_for_other_regions_and_what_is_ones_own_is_not_shown(world: World, serve: Serve) -> None:
    with world.open() as store:
        items = {stored.item.id: stored.item for batch in store.iter_items(upto=store.change_sequence()) for stored in batch}
        bound, own = replace(items["comedy-00"], attributes={"regions": "DE"}), replace(items["comedy-01"], owner="ann")
        store.upsert_items([bound, own], now=datetime.now(UTC))
    world.publish()
    live = serve()
    assert "comedy-00" not in live.ids(user="ben", page_size=30, region="FR")
    assert "comedy-00" in live.ids(user="ben", page_size=30, region="DE-BY")
    assert "comedy-00" in live.ids(user="ben", page_size=30)
    assert "comedy-01" not in live.ids(user="ann", page_size=30)
    assert "comedy-01" in live.ids(user="ben", page_size=30)
    assert "comedy-01" in live.ids(session="ann", page_size=30)
    assert "comedy-01" in [item.id for item in live.client.rank(["comedy-01"], user="ann").items]


def test_too_much_said_of_the_reader_is_refused(ruled: Deployment) -> None:
    with pytest.raises(InvalidArgument, match=r"context\.segments: given '51 labels', allowed: at most 50"):
        ruled.client.get_feed(user="ann", segments=[f"s{n}" for n in range(51)])
    with pytest.raises(InvalidArgument, match=r"context.segments\[0\]: "):
        ruled.client.get_feed(user="ann", segments=["s" * 201])
    with pytest.raises(InvalidArgument, match=r"context\.region: "):
        ruled.client.get_feed(user="ann", region="r" * 201)


def test_the_rest_of_a_feed_belongs_to_whoever_it_was_made_for(ruled: Deployment) -> None:
    first = ruled.client.get_feed(user="ann", segments=["vip"])
    with pytest.raises(InvalidArgument, match="page_token"):
        ruled.client.get_feed(user="ann", segments=["other"], page_token=first.next_page_token)


def test_the_served_record_says_who_asked(ruled: Deployment, world: World) -> None:
    feed = ruled.client.get_feed(user="ann", region="FR", segments=["vip"])
    with world.open() as store:
        assert soon(lambda: store.get_decision(bytes.fromhex(feed.decision_id)) is not None)
        decision = store.get_decision(bytes.fromhex(feed.decision_id))
    assert decision is not None
    audience = decode_query(decision.query).audience
    assert (audience.subject, audience.region, audience.segments) == ("user", "FR", ("vip",))


def test_another_file_holds_within_a_moment_and_a_bad_one_changes_nothing(ruled: Deployment, file: Path) -> None:
    before = ruled.client.get_feed(user="ann")
    file.write_text(RULES.replace("news-05", "news-03"), encoding="utf-8")
    assert soon(lambda: ruled.ids(user="ann")[1] == "news-03")
    changed = ruled.client.get_feed(user="ann")
    assert changed.placement_version != before.placement_version

    file.write_text(RULES.replace("at_most = 2", "at_most = 0"), encoding="utf-8")
    refused = ruled.server.metrics.placements_refused
    assert soon(lambda: refused._value.get() == 1)
    assert ruled.client.get_feed(user="ann").placement_version == changed.placement_version

    file.write_text(RULES, encoding="utf-8")
    assert soon(lambda: ruled.client.get_feed(user="ann").placement_version == before.placement_version)


BREAKING = """
[placements.home]
page_size = 4
breaking = { filter = '"breaking" in tags', slots = [1, 3], within_hours = 1 }
"""


def test_what_breaks_while_somebody_reads_is_on_their_next_page_once(world: World, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(BREAKING, encoding="utf-8")
    world.publish()
    live = serve(placements=path, changes_poll_s=0.05)
    first = live.client.get_feed(user="ann")
    now = datetime.now(UTC)

    def news(name: str, **more: object) -> Item:
        return Item(**{"id": name, "kind": ItemKind.ARTICLE, "title": name, "tags": ("breaking",), "published_at": now, **more})  # type: ignore[arg-type]

    old = news("old", published_at=now - timedelta(hours=2))
    live.client.upsert_items([news("later"), old, news("other", tags=()), news("newest", published_at=now + timedelta(milliseconds=1))])
    assert soon(lambda: "newest" in live.ids(user="ben", page_size=100))
    second = first.next_page()
    assert second is not None
    assert [second.items[0].id, second.items[2].id] == ["newest", "later"]
    assert [item.placing for item in second.items] == [Placing.BREAKING, Placing.RANKED, Placing.BREAKING, Placing.RANKED]
    assert second.items[0].reason == "New"
    # What comes now finds no slot where others do, and waits for the third page.
    more = [news(f"more-{place}", published_at=now + timedelta(milliseconds=2 + place)) for place in range(3)]
    live.client.upsert_items(more)
    assert soon(lambda: "more-2" in live.ids(user="ben", page_size=100))
    again = first.next_page()
    assert again is not None
    third = again.next_page()
    assert third is not None
    assert [again.items[0].id, again.items[2].id, third.items[0].id, third.items[2].id] == ["more-2", "more-1", "more-0", "newest"]
    shown = [item.id for page in first.pages() for item in page.items]
    assert len(shown) == len(set(shown)) == 35
    assert {"old", "other"}.isdisjoint(shown)
    live.client.record([Event("click", EventType.CLICK, Subject.user("ann"), "newest", token=second.items[0].token)])
    with world.open() as store:
        assert soon(lambda: store.get_decision(UUID(first.decision_id).bytes) is not None)
    found = live.client.explain_decision(token=second.items[0].token)
    assert (found.place, found.stop.stage) == (0, "taken in")
    assert "at place 5" in found.stop.detail
