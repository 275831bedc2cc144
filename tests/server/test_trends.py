"""What trends, over the wire: counted from events as they come, by window, region and segment, and never of a handful of people."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration
from waiting import soon

from recommender.client import Client, Feed, InvalidArgument
from recommender.events import Consent, Event, EventType, Subject
from recommender.items import ItemState
from recommender.served_query import decode_query
from recommender.v1 import feed_pb2, types_pb2

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
PEOPLE, OF_ITEM = 5, 2
POPULAR = "comedy-00"
"""What the generation counted most of."""


@pytest.fixture
def trending(world: World, serve: Serve) -> Deployment:
    """A server that looks for new events all the time, for which five people are a group."""
    world.publish()
    return serve(counts_poll_s=0.05, trend_people=PEOPLE, trend_item_people=OF_ITEM)


def take_up(
    live: Deployment,
    item: str,
    people: range,
    *,
    ago: timedelta = timedelta(minutes=5),
    consent: Consent | None = None,
    type: EventType = EventType.CLICK,
    **context: str,
) -> None:
    """Have people take up an item some time ago, and wait until the server knows."""
    at = live.clock() - ago
    events = [
        Event(f"{item}-{person}-{ago}-{type}", type, Subject.session(f"p{person}"), item, at=at, context=context, consent=consent)
        for person in people
    ]
    assert live.client.record(events).accepted == len(events)
    with live.world.open() as store:
        upto = store.change_sequence()
    assert soon(lambda: live.server.trends._held is not None and live.server.trends._held[1] >= upto)


def popular(live: Deployment, **wanted: object) -> Feed:
    # Trends are counted as of every fifth second.
    live.server.trends._counted.clear()
    return live.client.get_popular(page_size=4, **wanted)  # type: ignore[arg-type]


def ids(feed: Feed) -> list[str]:
    return [item.id for item in feed.items]


def trends(feed: Feed) -> list[str]:
    """Ids of the items that are there because they trend."""
    return [item.id for item in feed.items if item.reason != "Popular now"]


def told(feed: Feed) -> list[tuple[str, str]]:
    return [(entry.what, entry.why) for entry in feed.degraded]


def test_only_what_happened_within_the_window_trends(trending: Deployment) -> None:
    take_up(trending, "drama-11", range(3), ago=timedelta(hours=30))
    take_up(trending, "news-05", range(2), ago=timedelta(hours=3))
    take_up(trending, "drama-10", range(1))

    # What is popular anyway comes behind, and follows what people do as well.
    assert trends(popular(trending, window=HOUR)) == ["drama-10"]
    assert trends(popular(trending, window=DAY)) == ["news-05", "drama-10"]
    week = popular(trending, window=WEEK)
    assert trends(week) == ["drama-11", "news-05", "drama-10"]
    assert [item.reason for item in week.items] == ["Popular this week"] * 3 + ["Popular now"]
    assert ids(popular(trending, half_life=HOUR))[0] == "drama-10"
    assert told(week) == []


def test_without_any_of_it_nothing_is_different(trending: Deployment) -> None:
    assert ids(popular(trending))[0] == POPULAR
    take_up(trending, "drama-11", range(3))
    assert soon(lambda: ids(popular(trending))[0] == "drama-11")
    plain = popular(trending)
    assert {item.reason for item in plain.items} == {"Popular now"}
    assert ids(popular(trending, region_name="Lyon", segment_name="students")) == ids(plain)


def test_a_region_trends_by_its_own_name_and_clients_can_word_it_themselves(trending: Deployment) -> None:
    take_up(trending, "news-03", range(5), region="FR-ARA-69")
    take_up(trending, "drama-11", range(5, 30), region="DE")

    feed = popular(trending, window=DAY, region="FR-ARA", region_name="Auvergne-Rhône-Alpes")
    assert ids(feed)[:2] == ["news-03", "drama-11"]
    assert [item.reason for item in feed.items][:2] == ["Popular in Auvergne-Rhône-Alpes today", "Popular today"]
    assert ids(popular(trending, window=DAY))[:2] == ["drama-11", "news-03"]
    assert popular(trending, window=HOUR, region="DE").items[0].reason == "Popular in DE in the last hour"

    request = feed_pb2.GetPopularRequest(window=Duration(seconds=86_400), region="FR-ARA", page_size=3)
    reasons = [item.reason for item in trending.client._feeds.GetPopular(request, timeout=20).items]
    assert [reason.kind for reason in reasons] == [types_pb2.REASON_KIND_POPULAR] * 3
    assert [(reason.region, reason.window.seconds) for reason in reasons] == [("FR-ARA", 86_400), ("", 86_400), ("", 0)]


def test_too_few_people_give_way_to_the_wider_region_and_then_to_everybody(trending: Deployment) -> None:
    take_up(trending, "news-03", range(3), region="FR-ARA")
    take_up(trending, "news-04", range(3, 7), region="FR-BRE")
    take_up(trending, "drama-11", range(10, 14), region="DE")

    wider = popular(trending, window=DAY, region="FR-ARA", region_name="Lyon")
    assert (wider.items[0].reason, told(wider)) == ("Popular in FR today", [("region", "too_few_people")])
    assert ids(wider)[:3] == ["news-04", "news-03", "drama-11"]
    everybody = popular(trending, window=DAY, region="DE")
    assert (everybody.items[0].reason, told(everybody)) == ("Popular today", [("region", "too_few_people")])
    assert trending.server.metrics.degraded.labels("region", "too_few_people")._value.get() == 2


def test_the_same_few_people_over_and_over_are_no_more(trending: Deployment) -> None:
    for minutes in range(1, 9):
        take_up(trending, "news-03", range(4), ago=timedelta(minutes=minutes), region="FR")
    assert told(popular(trending, window=DAY, region="FR")) == [("region", "too_few_people")]
    take_up(trending, "news-03", range(4, 5), region="FR")
    assert told(popular(trending, window=DAY, region="FR")) == []


def test_an_item_of_one_person_of_the_region_is_ranked_by_the_whole(trending: Deployment) -> None:
    take_up(trending, "news-05", range(1), type=EventType.PURCHASE, region="FR")
    take_up(trending, "news-03", range(1, 6), region="FR")
    feed = popular(trending, window=DAY, region="FR")
    assert [(item.id, item.reason) for item in feed.items][:2] == [("news-03", "Popular in FR today"), ("news-05", "Popular today")]


def test_segments_trend_and_an_event_may_name_several(trending: Deployment) -> None:
    take_up(trending, "news-03", range(5), segment="students, night owls")
    take_up(trending, "drama-11", range(20, 40))
    feed = popular(trending, window=WEEK, segment="students")
    assert (feed.items[0].id, feed.items[0].reason) == ("news-03", "Popular with students this week")
    assert popular(trending, segment="night owls", segment_name="Nachteulen").items[0].reason == "Popular with Nachteulen now"
    assert told(popular(trending, window=WEEK, segment="night")) == [("segment", "too_few_people")]


def test_who_does_not_allow_to_be_learnt_from_makes_no_trend(trending: Deployment) -> None:
    take_up(trending, "news-03", range(9), region="FR", consent=Consent.PERSONALISE | Consent.MEASURE)
    assert told(popular(trending, window=DAY, region="FR")) == [("region", "too_few_people")]
    assert ids(popular(trending, window=DAY))[0] == POPULAR


def test_an_unknown_region_is_an_empty_group(trending: Deployment) -> None:
    feed = popular(trending, window=DAY, region="Ätläntis-🧜", segment="mermaids")
    assert told(feed) == [("region", "too_few_people"), ("segment", "too_few_people")]
    assert ids(feed)[0] == POPULAR


def test_limits_hold_and_hidden_items_are_gone(trending: Deployment) -> None:
    take_up(trending, "news-03", range(3))
    take_up(trending, "drama-11", range(2))
    assert ids(popular(trending, window=DAY, category="drama"))[0] == "drama-11"
    assert popular(trending, window=DAY, category="drama").items[0].reason == "Popular in drama today"
    assert ids(popular(trending, window=DAY, filter='kind == "media"'))[0] == "drama-11"
    assert ids(popular(trending, window=DAY, exclude=["news-03"]))[0] == "drama-11"
    trending.client.set_state(["news-03"], ItemState.HIDDEN)
    assert ids(popular(trending, window=DAY))[0] == "drama-11"


@pytest.mark.parametrize("field", ["window", "half_life"])
@pytest.mark.parametrize(
    ("seconds", "nanos", "given"),
    [
        (0, 0, "0 s"),
        (59, 999_999_999, "59 s and 999999999 ns"),
        (-3600, 0, "-3600 s"),
        (10**11, 0, "100000000000 s"),
        (90, -1, "90 s and -1 ns"),
    ],
)
def test_bad_durations_name_the_field_and_the_range(trending: Deployment, field: str, seconds: int, nanos: int, given: str) -> None:
    request = feed_pb2.GetPopularRequest(**{field: Duration(seconds=seconds, nanos=nanos)})  # type: ignore[arg-type]
    longest = {"window": "604800 s (7 days)", "half_life": "31536000 s (365 days)"}[field]
    with pytest.raises(InvalidArgument, match=re.escape(f"{field}: given '{given}', allowed: 60 s (a minute) to {longest}")):
        trending.client._call(trending.client._feeds.GetPopular, request)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"region": "r" * 201}, "region: given"),
        ({"segment": "s" * 201}, "segment: given"),
        ({"region": "FR", "region_name": "n" * 201}, "region_name: given"),
        ({"segment": "a", "segment_name": "n" * 201}, "segment_name: given"),
        ({"region": "-".join("abcdefghi")}, "region: given 'a-b-c-d-e-f-g-h-i', allowed: at most 8 parts"),
        ({"segment": "a,b"}, "segment: given 'a,b', allowed: one segment"),
    ],
)
def test_bad_groups_are_refused(trending: Deployment, wanted: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(message)):
        popular(trending, **wanted)


def test_another_server_that_starts_later_knows_what_trends(trending: Deployment, serve: Serve) -> None:
    take_up(trending, "news-03", range(6), region="FR")
    other = serve(trend_people=PEOPLE, trend_item_people=OF_ITEM)
    assert soon(lambda: popular(other, window=DAY, region="FR").items[0].reason == "Popular in FR today")
    assert other.server.metrics.trend_events._value.get() == 6
    assert other.server.metrics.trend_reach._value.get() >= 7 * 86_400


def test_what_trended_is_over_once_the_window_has_passed(trending: Deployment) -> None:
    live, clock = trending, trending.clock
    take_up(live, "news-03", range(3))
    assert trends(popular(live, window=HOUR)) == ["news-03"]
    clock.ahead = timedelta(hours=2)
    assert trends(popular(live, window=HOUR)) == []
    clock.ahead = timedelta(days=8)
    assert soon(lambda: live.server.metrics.trend_events._value.get() == 0)


def test_of_more_events_than_are_kept_the_newest_count_and_the_answer_says_so(world: World, serve: Serve) -> None:
    world.publish()
    live = serve(counts_poll_s=0.05, trend_events=1_000)
    take_up(live, "news-03", range(900), ago=timedelta(hours=5))
    take_up(live, "drama-11", range(600), ago=timedelta(minutes=5))
    feed = popular(live, window=DAY)
    assert (trends(feed), told(feed)) == (["drama-11", "news-03"], [("window", "too_many_events")])
    assert told(popular(live, window=HOUR)) == []


def test_the_served_record_says_what_was_asked_for(trending: Deployment) -> None:
    take_up(trending, "news-03", range(6), region="FR")
    feed = popular(trending, window=DAY, region="FR", region_name="France")
    trending.server.stop()
    with trending.world.open() as store:
        decision = store.get_decision(UUID(feed.decision_id).bytes)
    assert decision is not None
    asked = decode_query(decision.query).trend
    assert asked is not None
    assert (asked.asked.region, asked.asked.region_name, asked.asked.window_us) == ("FR", "France", 86_400_000_000)


def test_whoever_asks_twice_within_a_moment_gets_the_same(trending: Deployment) -> None:
    take_up(trending, "news-03", range(6))
    with Client(trending.server.addresses.listen, timeout_s=20) as other:
        answers = [ids(client.get_popular(page_size=30, window=WEEK)) for client in (trending.client, other, trending.client)]
    assert answers[0] == answers[1] == answers[2]


def test_until_events_are_read_what_is_popular_anyway_stands_in(trending: Deployment) -> None:
    trending.server.trends.stop()
    trending.server.trends._held = None
    feed = popular(trending, window=DAY, region="FR")
    assert (ids(feed)[0], trends(feed), told(feed)) == (POPULAR, [], [("trend", "not_read_yet")])


def test_many_ask_while_events_come(trending: Deployment) -> None:
    def asked(place: int) -> set[str]:
        with Client(trending.server.addresses.listen, timeout_s=60) as client:
            windows = [timedelta(hours=1 + (place + n) % 5) for n in range(20)]
            return {item.id for window in windows for item in client.get_popular(window=window, region="FR", page_size=2).items[:1]}

    take_up(trending, "news-03", range(10), region="FR")
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(asked, place) for place in range(4)]
        for place in range(10):
            take_up(trending, "drama-11", range(place, place + 1), ago=timedelta(minutes=2), region="FR")
        assert set().union(*(answer.result() for answer in answers)) <= {"news-03", "drama-11"}
    take_up(trending, "drama-11", range(10, 12), region="FR")
    assert trends(popular(trending, window=HOUR, region="FR")) == ["drama-11", "news-03"]
