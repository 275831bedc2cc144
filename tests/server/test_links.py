"""Linking over the network: whose feeds a session and a user get, on every server process, and what is told of what cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recommender.client import InvalidArgument, Refused
from recommender.events import Consent
from recommender.feeds import Basis

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve


def tastes(ids: list[str]) -> list[str]:
    return [item_id.split("-")[0] for item_id in ids]


def test_what_a_session_clicked_shapes_the_users_next_feed_on_every_server(live: Deployment, serve: Serve) -> None:
    other = serve()
    assert live.client.get_feed(user="ann").basis is Basis.CONTEXTUAL
    for place in range(3):
        live.act(f"news-0{place}", session="visit")

    answer = live.client.link_session("visit", "ann")

    assert (answer.user_id, answer.already_linked) == ("ann", False)
    for server in (live, other):
        feed = server.client.get_feed(user="ann", page_size=3)
        assert feed.basis is Basis.PERSONAL
        assert tastes([item.id for item in feed.items]) == ["news"] * 3
        assert not {item.id for item in feed.items} & {"news-00", "news-01", "news-02"}


def test_feeds_of_a_linked_session_are_the_users(live: Deployment, serve: Serve) -> None:
    other = serve()
    # Event ids of their own.
    other.sent = 100
    live.client.link_session("visit", "ann")
    live.act("drama-00", user="ann")
    other.act("drama-01", session="visit")

    feed = live.client.get_feed(session="visit")

    assert feed.basis is Basis.PERSONAL
    assert [item.id for item in feed.items] == other.ids(user="ann")
    assert not {"drama-00", "drama-01"} & {item.id for item in feed.items}


def test_a_session_without_consent_to_personalise_shapes_nothing(live: Deployment) -> None:
    live.act("drama-00", user="ann", consent=Consent.ALL)
    live.act("news-00", session="visit", consent=Consent.TRAIN)
    live.client.link_session("visit", "bob")

    feed = live.client.get_feed(user="bob")
    assert feed.basis is Basis.CONTEXTUAL
    assert [item.id for item in feed.items] == live.ids(user="nobody")
    # What the session refused was the last word of both, until there is another.
    live.act("drama-00", user="bob", consent=Consent.ALL)
    assert live.client.get_feed(user="bob").basis is Basis.PERSONAL
    assert "news-00" in live.ids(user="bob", page_size=100)


def test_users_are_merged_with_all_that_is_theirs(live: Deployment) -> None:
    live.act("news-00", user="a")
    live.act("news-01", user="b")
    live.client.link_session("visit", "a")
    assert live.client.merge_users("a", "b").user_id == "b"
    assert live.client.merge_users("b", "c").user_id == "c"

    again = live.client.merge_users("a", "b")

    assert (again.user_id, again.already_merged) == ("c", True)
    feeds = [live.ids(**who) for who in ({"user": "a"}, {"user": "b"}, {"user": "c"}, {"session": "visit"})]  # type: ignore[arg-type]
    assert feeds[0] == feeds[1] == feeds[2] == feeds[3]
    assert not {"news-00", "news-01"} & set(feeds[0])


def test_what_cannot_be_is_refused_with_who_is_who(live: Deployment) -> None:
    live.client.link_session("visit", "ann")
    assert live.client.link_session("visit", "ann").already_linked
    with pytest.raises(Refused, match="session 'visit' is user 'ann' already, and cannot become user 'bob'"):
        live.client.link_session("visit", "bob")
    live.client.merge_users("ann", "bob")
    with pytest.raises(Refused, match="user 'ann' is user 'bob' already"):
        live.client.merge_users("bob", "ann")


def test_bad_ids_are_told_by_field(live: Deployment) -> None:
    for ids, field in ((("", "ann"), "session_id"), (("visit", ""), "user_id")):
        with pytest.raises(InvalidArgument, match=f"^{field}: given"):
            live.client.link_session(*ids)
    for ids, field in ((("", "ann"), "from_user_id"), (("ann", "ann"), "into_user_id")):
        with pytest.raises(InvalidArgument, match=f"^{field}: given"):
            live.client.merge_users(*ids)
