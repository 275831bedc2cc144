"""What makes a new generation ready before it serves."""

from __future__ import annotations

import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recommender.feeds import Query
from recommender.items import Item, ItemKind
from recommender.placements import Placement
from server.heap import give_back
from server.recent import KEPT, RecentQueries

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, World

HOME = Placement(name="home")
QUERY = Query(HOME, 10)


def test_of_each_filter_the_last_query_is_kept_the_newest_first() -> None:
    recent = RecentQueries()
    first, second, again = (replace(QUERY, filter=text, size=size) for text, size in (("a", 1), ("b", 2), ("a", 3)))
    for query in (first, second, again):
        recent.note(query)
    assert recent.newest_first() == [again, second]


def test_no_more_than_so_many_are_kept() -> None:
    recent = RecentQueries()
    for number in range(KEPT + 5):
        recent.note(replace(QUERY, filter=str(number)))
    kept = [query.filter for query in recent.newest_first()]
    assert kept == [str(number) for number in reversed(range(5, KEPT + 5))]


def test_what_is_asked_is_what_a_new_generation_is_tried_on(live: Deployment, world: World) -> None:
    live.client.get_feed(user="ann", filter="price > 3.0")
    live.client.get_popular(category="drama")

    assert [(query.filter, query.category) for query in live.server.live.recent.newest_first()] == [("", "drama"), ("price > 3.0", "")]


def test_a_filter_that_the_new_generation_does_not_know_does_not_keep_it_from_serving(live: Deployment, world: World) -> None:
    live.client.upsert_items([Item(id="drama-12", kind=ItemKind.MEDIA, attributes={"stars": 4.0})])
    world.publish()
    live.server.live.retry()
    assert live.ids(user="ann", filter="attributes.stars == 4.0") == ["drama-12"]
    live.client.delete_items(["drama-12"])

    second = world.publish()
    live.server.live.retry()

    assert live.client.get_feed(user="ann").generation_id == second


def test_the_c_library_takes_the_limits() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", "from server.heap import keep_little; print(keep_little())"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == "True\n"


def test_what_keeps_itself_alive_is_freed_when_memory_is_given_back() -> None:
    class Ring:
        def __init__(self) -> None:
            self.itself = self

    gone = weakref.ref(Ring())
    give_back()
    assert gone() is None
