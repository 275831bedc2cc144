"""What becomes of events: results one by one, retries, tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recommender.events import Consent, Event, EventType, Subject
from recommender.v1 import event_pb2

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, World

ACCEPTED, DUPLICATE, REJECTED = (
    event_pb2.EVENT_STATUS_ACCEPTED,
    event_pb2.EVENT_STATUS_DUPLICATE,
    event_pb2.EVENT_STATUS_REJECTED,
)


def click(event_id: str, item_id: str = "comedy-00", *, token: str = "") -> Event:
    return Event(id=event_id, type=EventType.CLICK, subject=Subject.user("ann"), item_id=item_id, token=token)


def test_results_come_in_order_and_are_counted(live: Deployment) -> None:
    first = live.client.record([click("a"), click("b", "nowhere"), click("c"), click("a")])

    assert [(result.event_id, result.status) for result in first.results] == [
        ("a", ACCEPTED),
        ("b", REJECTED),
        ("c", ACCEPTED),
        ("a", DUPLICATE),
    ]
    assert (first.accepted, first.duplicates, first.rejected) == (2, 1, 1)


def test_sending_again_counts_nothing_twice(live: Deployment, world: World) -> None:
    events = [click("a"), click("b")]
    live.client.record(events)

    again = live.client.record(events)

    assert (again.accepted, again.duplicates) == (0, 2)
    with world.open() as store:
        assert store.counts().events == 2


def test_an_event_reaches_the_store_whole(live: Deployment, world: World) -> None:
    event = Event(
        id="w",
        type=EventType.WATCH,
        subject=Subject.session("s"),
        item_id="drama-01",
        at=live.clock(),
        value=2.5,
        portion=0.75,
        dwell_s=90.0,
        context={"page": "home"},
        consent=Consent.TRAIN | Consent.PERSONALISE,
    )
    assert live.client.record([event]).accepted == 1

    with world.open() as store:
        [batch] = list(store.iter_events(upto=store.change_sequence()))
        number = store.item_numbers(["drama-01"])["drama-01"]
        person = store.read_person(Subject.session("s")).person
    [row] = batch.to_pylist()
    assert (row["item"], row["type"], row["value"], row["portion"], row["dwell_s"]) == (number, 5, 2.5, 0.75, 90.0)
    assert row["consent"] == Consent.TRAIN | Consent.PERSONALISE
    assert person.history["item"].tolist() == [number]
    assert number in person.consumed


def test_the_token_of_a_feed_is_taken_with_its_own_item_only(live: Deployment) -> None:
    first, second = live.client.get_feed(user="ann", page_size=2).items

    assert live.act(first.id, user="ann", token=first.token) == "taken"
    message = live.act(second.id, user="ann", token=first.token)
    assert message.startswith("events[0].token: given")
    assert message.endswith(f"the token that came with item {second.id}")


def test_a_tampered_token_is_refused(live: Deployment) -> None:
    item = live.client.get_feed(user="ann", page_size=1).items[0]

    for at in range(0, len(item.token), 7):
        forged = item.token[:at] + ("B" if item.token[at] != "B" else "C") + item.token[at + 1 :]
        assert live.act(item.id, user="ann", token=forged).startswith("events[0].token: given")


def test_tokens_of_every_kind_of_answer_are_genuine(live: Deployment) -> None:
    client = live.client
    first = client.get_feed(user="ann", page_size=2)
    answers = [first, first.next_page(), client.get_similar(["comedy-00"]), client.get_popular(), client.rank(["news-01"], user="ann")]
    events = [
        replace(click(f"{place}-{item.id}", item.id), type=EventType.IMPRESSION, token=item.token)
        for place, answer in enumerate(answers)
        if answer is not None
        for item in answer.items
    ]

    answer = client.record(events)

    assert len(events) > 40
    assert (answer.accepted, answer.rejected) == (len(events), 0)


def test_a_token_for_an_item_that_is_gone_is_told_about_the_item(live: Deployment) -> None:
    item = live.client.get_feed(user="ann", page_size=1).items[0]
    live.client.delete_items([item.id])

    assert live.act(item.id, user="ann", token=item.token).startswith(f"events[0].item_id: given '{item.id}'")


def test_an_event_that_comes_too_late_is_rejected_with_the_oldest_time_allowed(live: Deployment) -> None:
    late = replace(click("late"), at=datetime(1900, 1, 1, tzinfo=UTC))
    (result,) = live.client.record([late]).results
    assert result.status == REJECTED
    assert result.message.startswith("events[0].at: given '1900-01-01")
    assert "older events can be imported" in result.message
