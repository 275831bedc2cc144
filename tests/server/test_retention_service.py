"""Retention over the network: what would go, that it goes a part at a time, and beside events and builds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from handmade import NOW

from recommender.client import Unavailable
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation.writer_lock import writer_lock
from recommender.v1 import retention_pb2
from server import retention_service

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

EVENTS, REFUSED = retention_pb2.RETENTION_RULE_EVENTS, retention_pb2.RETENTION_RULE_REFUSED
SHORT = {"event_days": 20, "least_events": 0}


def a_day_each(live: Deployment, days: int) -> None:
    """One event a day, of today and the days before."""
    now = live.clock()
    events = [Event(f"e{day}", EventType.CLICK, Subject.user("ann"), "comedy-00", at=now - timedelta(days=day)) for day in range(days)]
    with live.world.open() as store:
        store.record_events(events, now=now, consent_default=Consent.ALL)


def events_of(told: list[retention_pb2.Expiring]) -> retention_pb2.Expiring:
    (one,) = [each for each in told if each.rule == EVENTS]
    return one


def test_what_would_go_is_told_by_rule_and_stays(serve: Serve, world: World) -> None:
    live = serve(**SHORT)
    a_day_each(live, 30)

    told = live.client.preview_retention()

    assert [each.rule for each in told.expiring] == list(retention_pb2.RetentionRule.values())[1:]
    events, now = events_of(list(told.expiring)), live.clock()
    assert (events.days, events.count, events.kept, events.partitions) == (20, 9, 21, 9)
    assert (events.oldest, events.newest) == tuple((now - timedelta(days=days)).date().isoformat() for days in (29, 21))
    assert events.bytes > 0
    assert any(note.startswith("event_days is 20") for note in told.notes)
    with world.open() as store:
        assert store.counts().events == 30


def test_it_goes_a_part_at_a_time_and_servers_reject_what_comes_of_those_days(
    serve: Serve, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = serve(**SHORT)
    a_day_each(live, 30)
    monkeypatch.setattr(retention_service, "APPLY_S", 0.0)

    answers = list(live.client.apply_retention())

    assert [answer.complete for answer in answers] == [*[False] * 8, True]
    assert [events_of(list(answer.expired)).count for answer in answers] == [1] * 9
    with world.open() as store:
        assert store.counts().events == 21
    assert not events_of(list(live.client.preview_retention().expiring)).count
    late = Event("late", EventType.CLICK, Subject.user("ann"), "comedy-00", at=live.clock() - timedelta(days=25))
    [result] = live.client.record([late]).results
    assert "what was before has expired (setting event_days)" in result.message
    assert live.act("comedy-01", user="ann") == "taken"


def test_an_old_refused_generation_goes_and_the_one_that_serves_stays(serve: Serve, world: World) -> None:
    refused = world.publish(passed=False, activate=False)
    active = world.publish()
    live = serve()
    (preview,) = [each for each in live.client.preview_retention().expiring if each.rule == REFUSED]
    assert list(preview.ids) == [refused]
    assert preview.bytes > 0
    list(live.client.apply_retention())
    assert [generation.id for generation in live.client.list_generations()] == [active]


def test_while_a_build_runs_nothing_goes_and_it_can_be_looked_at(serve: Serve, world: World) -> None:
    live = serve(**SHORT)
    a_day_each(live, 30)
    with writer_lock(world.generations.root, now=NOW):
        with pytest.raises(Unavailable, match="another build is running"):
            next(live.client.apply_retention())
        assert events_of(list(live.client.preview_retention().expiring)).count == 9
    with world.open() as store:
        assert store.counts().events == 30
