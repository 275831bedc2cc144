"""Lists from one's own history over the wire: what is on them, what may not be, and what they tell."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from click.testing import CliRunner
from waiting import soon

from recommender.client import History, HistoryList, InvalidArgument, Missing
from recommender.events import Consent, Event, EventType, Subject
from recommender.feeds import Basis
from recommender.items import Item, ItemKind, ItemState
from recommender.v1 import feed_pb2, types_pb2
from server.feed_command import feed as feed_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import Deployment, Serve, World

RECENT, CONTINUE, AGAIN = HistoryList
CLICK, WATCH, READ, BUY = EventType.CLICK, EventType.WATCH, EventType.READ, EventType.PURCHASE


def did(live: Deployment, item: str, type: EventType = CLICK, *, ago: float = 1.0, portion: float | None = None, user: str = "ann") -> None:
    """Record that `user` did something with an item so many days ago."""
    live.sent += 1
    at = live.clock() - timedelta(days=ago)
    event = Event(f"did-{live.sent}", type, Subject.user(user), item, at=at, portion=portion, value=None)
    assert live.client.record([event]).accepted == 1


def ids(history: History) -> list[str]:
    return [entry.item.id for entry in history.entries]


def listed(live: Deployment, wanted: HistoryList, **more: object) -> list[str]:
    return ids(live.client.get_history(wanted, **{"user": "ann", **more}))  # type: ignore[arg-type]


def test_what_one_had_lately_stands_newest_first_with_when_and_how(live: Deployment) -> None:
    did(live, "drama-01", ago=3)
    did(live, "drama-02", WATCH, ago=2, portion=0.5)
    did(live, "drama-01", EventType.LIKE, ago=1)
    did(live, "comedy-05", EventType.SAVE, ago=0.5)

    history = live.client.get_history(RECENT, user="ann")

    assert ids(history) == ["drama-01", "drama-02"]
    first, second = history.entries
    assert (first.last_type, first.portion, first.times) == (EventType.LIKE, None, 1)
    assert (second.last_type, second.portion) == (WATCH, pytest.approx(0.5))
    assert abs(live.clock() - timedelta(days=2) - second.last_at) < timedelta(minutes=1)
    assert [entry.item.reason for entry in history.entries] == ["You liked this", "You watched this"]
    assert (history.feed.basis, history.feed.eligible_items) == (Basis.PERSONAL, 2)
    assert history.feed.items[0].title == "Drama 1"


def test_one_goes_on_with_what_one_began_until_it_is_finished(live: Deployment) -> None:
    did(live, "drama-01", WATCH, ago=3, portion=0.4)
    did(live, "news-02", READ, ago=2, portion=0.3)
    did(live, "drama-03", WATCH, ago=1, portion=0.97)
    history = live.client.get_history(CONTINUE, user="ann")
    assert ids(history) == ["news-02", "drama-01"]
    assert [entry.item.reason for entry in history.entries] == ["Continue reading", "Continue watching or listening"]
    # What was acknowledged shows in the very next answer.
    did(live, "drama-01", WATCH, ago=0, portion=1.0)
    assert listed(live, CONTINUE) == ["news-02"]
    assert listed(live, CONTINUE, kinds=[ItemKind.MEDIA]) == []


def test_what_is_due_again_comes_by_ones_own_interval(live: Deployment) -> None:
    for week in (1, 2, 3):
        did(live, "comedy-01", BUY, ago=7 * week)
        did(live, "comedy-02", BUY, ago=7 * week - 6.99)
        did(live, "comedy-03", BUY, ago=7 * week + 200)
    did(live, "drama-04", WATCH, ago=30, portion=1.0)
    history = live.client.get_history(AGAIN, user="ann")
    assert ids(history) == ["comedy-01", "comedy-02", "comedy-03"]
    assert [entry.times for entry in history.entries] == [3, 3, 3]
    assert {entry.item.reason for entry in history.entries} == {"Buy again"}
    scores = [entry.item.score for entry in history.entries]
    assert scores == sorted(scores, reverse=True)


def test_what_may_not_be_shown_any_more_is_on_no_list(live: Deployment) -> None:
    for place in range(6):
        did(live, f"drama-{place:02}", ago=6 - place)
    did(live, "drama-05", EventType.HIDE, ago=0.4)
    live.client.set_state(["drama-04"], ItemState.HIDDEN)
    live.client.delete_items(["drama-03"])
    ended = Item(id="drama-02", kind=ItemKind.MEDIA, valid_to=live.clock() - timedelta(hours=1))
    live.client.upsert_items([ended])

    assert listed(live, RECENT) == ["drama-01", "drama-00"]
    assert listed(live, RECENT, exclude=["drama-01", "atlantis"]) == ["drama-00"]
    assert live.client.get_history(RECENT, user="ann", exclude=["atlantis"]).feed.unknown_item_ids == ("atlantis",)
    assert listed(live, RECENT, filter="price < 0.5") == ["drama-00"]
    live.client.set_state(["drama-04"], ItemState.LIVE)
    assert listed(live, RECENT) == ["drama-04", "drama-01", "drama-00"]
    did(live, "drama-05", EventType.LIKE, ago=0.1)
    assert listed(live, RECENT)[0] == "drama-05"


def test_kinds_language_and_rules_of_the_placement_hold(world: World, serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "placements.toml"
    file.write_text(
        """
        [placements.shelf]
        kinds = ["article"]
        [[placements.shelf.rules]]
        name = "not-that-one"
        do = "exclude"
        filter = 'id == "news-02"'
        audience = 'region == "FR"'
        """,
        encoding="utf-8",
    )
    world.publish()
    live = serve(placements=file)
    for item in ("news-01", "news-02", "drama-01"):
        did(live, item)
    assert sorted(listed(live, RECENT)) == ["news-01", "news-02"]
    assert listed(live, RECENT, language="de") == ["news-01"]
    assert listed(live, RECENT, region="FR") == ["news-01"]
    assert live.client.get_history(RECENT, user="ann").feed.placement == "shelf"
    with pytest.raises(Missing, match="placement"):
        live.client.get_history(RECENT, user="ann", placement="nowhere")


@pytest.mark.parametrize("wanted", HistoryList)
def test_without_consent_to_personalise_a_list_is_empty_and_says_so(live: Deployment, wanted: HistoryList) -> None:
    did(live, "drama-01", BUY, ago=9)
    did(live, "drama-02", WATCH, portion=0.5)
    refused = live.client.get_history(wanted, user="ann", consent=Consent.TRAIN | Consent.MEASURE)
    assert (refused.entries, refused.feed.basis) == ((), Basis.CONTEXTUAL)
    assert live.client.get_history(wanted, user="ann").feed.basis is Basis.PERSONAL
    live.act("drama-03", user="ann", consent=Consent.NONE)
    said = live.client.get_history(wanted, user="ann")
    assert (said.entries, said.feed.basis) == ((), Basis.CONTEXTUAL)


def test_somebody_unknown_has_no_list(live: Deployment) -> None:
    history = live.client.get_history(RECENT, session="nobody")
    assert (history.entries, history.feed.basis, history.feed.eligible_items) == ((), Basis.CONTEXTUAL, 0)
    live.act("drama-01", session="nobody")
    seen = live.client.get_history(RECENT, session="nobody")
    assert (ids(seen), seen.feed.basis) == (["drama-01"], Basis.SESSION)


def test_a_list_is_as_long_as_asked_and_a_hundred_at_the_most(live: Deployment) -> None:
    for place in range(12):
        did(live, f"drama-{place:02}", ago=12 - place)
    assert listed(live, RECENT, page_size=3) == ["drama-11", "drama-10", "drama-09"]
    assert live.client.get_history(RECENT, user="ann", page_size=3).feed.eligible_items == 12
    with pytest.raises(InvalidArgument, match=re.escape("page_size: given 101")):
        listed(live, RECENT, page_size=101)


def test_a_session_that_was_linked_has_the_list_of_its_user(live: Deployment) -> None:
    live.act("drama-01", session="s")
    did(live, "drama-02", ago=2)
    live.client.link_session("s", "ann")
    assert ids(live.client.get_history(RECENT, session="s")) == ["drama-01", "drama-02"]


def test_bad_requests_name_the_field(live: Deployment) -> None:
    call, stub, ann = live.client._call, live.client._feeds, types_pb2.Subject(user_id="ann")
    for request, message in [
        (feed_pb2.GetHistoryRequest(subject=ann), "list: given 0, allowed: RECENT (1), CONTINUE (2), AGAIN (3)"),
        (feed_pb2.GetHistoryRequest(subject=ann, list=9), "list: given 9"),  # type: ignore[arg-type]
        (feed_pb2.GetHistoryRequest(list=1), "subject: given 'nothing'"),  # type: ignore[arg-type]
        (feed_pb2.GetHistoryRequest(subject=ann, list=1, filter="colour == 1"), "colour"),  # type: ignore[arg-type]
        (feed_pb2.GetHistoryRequest(subject=ann, list=1, exclude_item_ids=[""]), "exclude_item_ids[0]"),  # type: ignore[arg-type]
    ]:
        with pytest.raises(InvalidArgument, match=re.escape(message)):
            call(stub.GetHistory, request)


def test_items_of_a_list_have_tokens_and_the_answer_a_record(live: Deployment) -> None:
    did(live, "drama-01", ago=2)
    did(live, "drama-02", ago=1)
    history = live.client.get_history(RECENT, user="ann")
    tokens = [entry.item.token for entry in history.entries]
    assert live.act("drama-02", user="ann", token=tokens[0]) == "taken"
    assert "token" in live.act("drama-02", user="ann", token=tokens[1])

    with live.world.open() as store:
        key = UUID(history.feed.decision_id).bytes
        assert soon(lambda: store.get_decision(key) is not None)
        decision = store.get_decision(key)
        assert decision is not None
        assert [item.item.id for item in store.get_items_by_number(decision.numbers.tolist())] == ["drama-02", "drama-01"]
    assert (decision.subject, decision.query, decision.basis) == (Subject.user("ann"), b"", Basis.PERSONAL)
    np.testing.assert_array_equal(decision.sources, [0, 0])


def test_who_does_not_allow_to_be_counted_is_not_named_in_the_record(live: Deployment) -> None:
    did(live, "drama-01")
    history = live.client.get_history(RECENT, user="ann", consent=Consent.PERSONALISE)
    assert ids(history) == ["drama-01"]
    live.server.stop()
    with live.world.open() as store:
        decision = store.get_decision(UUID(history.feed.decision_id).bytes)
    assert decision is not None
    assert decision.subject is None


def test_the_command_prints_lists_and_what_is_popular(live: Deployment) -> None:
    did(live, "drama-01", WATCH, ago=2, portion=0.4)
    did(live, "drama-02", BUY, ago=40)
    target, runner = live.server.addresses.listen, CliRunner(env={"COLUMNS": "200"})

    def printed(*arguments: str) -> str:
        result = runner.invoke(feed_command, [*arguments, "--target", target])
        assert result.exit_code == 0, result.output
        return result.output

    lately = printed("--user", "ann", "--list", "recent")
    assert "Drama 1" in lately
    assert "40%" in lately
    assert "PERSONAL list at placement home" in lately
    assert "Continue watching" in printed("--user", "ann", "--list", "continue")
    assert "Buy again" in printed("--user", "ann", "--list", "again")
    popular = printed("--list", "popular", "--window", "24h", "--region", "FR", "--category", "drama")
    assert "Drama 0" in popular
    assert "left out: region (too_few_people)" in popular


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--list", "recent"], "give either --user or --session"),
        (["--list", "popular", "--user", "ann"], "what is popular is the same for everybody"),
        (["--user", "ann", "--window", "24h"], "are for --list popular"),
        (["--user", "ann", "--list", "again", "--explain"], "--explain is for feeds"),
        (["--list", "popular", "--window", "a week"], "'a week' is not a number of minutes, hours or days, such as 90m, 24h or 7d"),
        (["--list", "popular", "--window", "9" * 40 + "d"], "is not a number of minutes"),
        (["--list", "liked"], "'liked' is not one of"),
    ],
)
def test_the_command_says_what_goes_together(arguments: list[str], message: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(feed_command, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
