"""Near a deadline: the short answer instead of a late one, and it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recommender.events import EventType
from recommender.feeds import Basis
from server.deadlines import Usual

if TYPE_CHECKING:
    from tests.server.conftest import Deployment

HOUR = 3_600.0
"""More time than any client of these tests gives."""


def test_what_is_usual_follows_what_answers_take() -> None:
    usual = Usual()
    assert usual.seconds == 0, "before anything is known there is time enough"
    for _ in range(200):
        usual.took(0.01)
    assert usual.seconds == pytest.approx(0.01, rel=0.01)
    for turn in range(200):
        usual.took(0.01 + 0.005 * (-1) ** turn)
    assert 0.015 < usual.seconds < 0.025, "most answers come within what is usual"


def test_one_strange_answer_is_not_usual() -> None:
    usual = Usual()
    for _ in range(200):
        usual.took(0.01)
    usual.took(5.0)
    assert usual.seconds < 0.02


def test_an_answer_that_came_too_late_is_learnt_from_at_once() -> None:
    usual = Usual()
    usual.took(0.01)
    usual.took(0.05, left=0.02)
    assert usual.seconds >= 0.05
    usual.took(0.01, left=0.02)
    assert usual.seconds < 0.06


def test_an_answer_without_some_sources_only_shows_that_a_full_one_takes_longer() -> None:
    usual = Usual()
    for _ in range(100):
        usual.took(0.02)
    for _ in range(100):
        usual.took(0.001, whole=False)
    assert usual.seconds == pytest.approx(0.02, rel=0.01)
    for _ in range(100):
        usual.took(0.04, whole=False)
    assert usual.seconds > 0.035


def test_short_answers_let_full_ones_be_tried_again() -> None:
    usual = Usual()
    usual.took(0.1)
    for _ in range(500):
        usual.was_short()
    assert usual.seconds < 0.01


def test_who_has_less_time_than_a_feed_usually_takes_gets_the_short_answer_and_is_told(live: Deployment) -> None:
    live.act("drama-11", EventType.WATCH, user="ann")
    whole = live.client.get_feed(user="ann", page_size=5)
    live.server.usual["GetFeed"].took(HOUR, left=0.0)

    short = live.client.get_feed(user="ann", page_size=5)

    assert (whole.basis, whole.degraded) == (Basis.PERSONAL, ())
    assert short.basis is Basis.CONTEXTUAL
    assert {entry.why for entry in short.degraded} == {"deadline"}
    assert "content" in {entry.what for entry in short.degraded}
    assert [item.id for item in short.items] == [f"comedy-{place:02}" for place in range(5)], "what is popular, in its order"


def test_after_a_while_a_full_answer_is_tried_again(live: Deployment) -> None:
    live.act("drama-11", EventType.WATCH, user="ann")
    live.server.usual["GetFeed"].took(2 * live.client.timeout_s, left=0.0)

    assert live.client.get_feed(user="ann").degraded
    assert any(not live.client.get_feed(user="ann").degraded for _ in range(400))


def test_without_a_short_answer_the_full_one_is_begun_all_the_same(live: Deployment) -> None:
    live.server.usual["GetSimilar"].took(HOUR, left=0.0)

    similar = live.client.get_similar(["drama-00"])

    assert not similar.degraded
    assert similar.items
