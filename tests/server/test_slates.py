"""Several feeds of one screen in one call: no item in two of them, and each goes on by itself."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from recommender.client import InvalidArgument, Missing, Slate
from recommender.items import ItemKind

if TYPE_CHECKING:
    from tests.server.conftest import Deployment

SCREEN = (
    Slate(page_size=1),
    Slate(page_size=5),
    Slate(page_size=5, filter='"drama" in categories'),
    Slate(page_size=3, kinds=(ItemKind.ARTICLE,)),
)


def test_no_item_is_in_two_slates_and_those_that_come_first_choose_first(live: Deployment) -> None:
    live.act("comedy-03", user="ann")
    feeds = live.client.get_slates(SCREEN, user="ann")
    shown = [[item.id for item in feed.items] for feed in feeds]
    assert [len(ids) for ids in shown] == [1, 5, 5, 3]
    assert len({item for ids in shown for item in ids}) == 14
    assert shown[0] + shown[1] == live.ids(user="ann", page_size=6)
    assert all(item.startswith("drama") for item in shown[2])
    assert all(item.startswith("news") for item in shown[3])
    assert len({feed.decision_id for feed in feeds}) == 4


def test_each_slate_goes_on_without_what_the_others_showed_first(live: Deployment) -> None:
    feeds = live.client.get_slates(SCREEN, user="ann")
    first = {item.id for feed in feeds for item in feed.items}
    for feed in feeds:
        later = [item.id for page in feed.pages() for item in page.items]
        assert len(later) == len(set(later))
        assert set(later) & first == {item.id for item in feed.items}
    dramas = [item.id for page in feeds[2].pages() for item in page.items]
    assert all(item.startswith("drama") for item in dramas)
    assert len(dramas) > 5


def test_what_is_excluded_is_in_none_of_them(live: Deployment) -> None:
    feeds = live.client.get_slates([Slate(page_size=10)] * 2, user="ann", exclude=["comedy-00", "drama-05"])
    assert not {"comedy-00", "drama-05"} & {item.id for feed in feeds for item in feed.items}


def test_slates_are_full_while_anything_is_left(live: Deployment) -> None:
    feeds = live.client.get_slates([Slate(page_size=12)] * 3, user="ann")
    assert [len(feed.items) for feed in feeds] == [12, 12, 6]
    assert all(not {item.id for item in one.items} & {item.id for item in other.items} for one, other in pairwise(feeds))


def test_a_bad_slate_is_told_by_its_place(live: Deployment) -> None:
    with pytest.raises(InvalidArgument, match="slates: given '0 slates', allowed: 1 to 20"):
        live.client.get_slates([], user="ann")
    with pytest.raises(InvalidArgument, match="slates: given '21 slates'"):
        live.client.get_slates([Slate()] * 21, user="ann")
    with pytest.raises(InvalidArgument, match=r"slates\[1\].page_size: "):
        live.client.get_slates([Slate(), Slate(page_size=101)], user="ann")
    with pytest.raises(InvalidArgument, match=r"slates\[1\].filter: "):
        live.client.get_slates([Slate(), Slate(filter="colour == 1")], user="ann")
    with pytest.raises(Missing, match="no placement 'attic'"):
        live.client.get_slates([Slate(placement="attic")], user="ann")
