"""Decisions made again from their records, and explained: what was shown, what was not, and why."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from waiting import soon

from recommender.cli import run
from recommender.client import Feed, InvalidArgument, Missing, Refused, Slate
from recommender.events import Consent, EventType
from recommender.feeds import Placing, ReasonKind
from recommender.items import ItemKind, ItemState
from recommender.v1.decision_pb2 import ExplainDecisionResponse

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import Deployment, Serve, World

PLACEMENTS = """
[placements.home]
page_size = 5

[placements.lively]
page_size = 6
slate_size = 20
variety = { strength = 0.4, rotation = 0.5 }
exploration = { share = 0.2, uncertain_below = 8.0, choice = 5 }
impressions = { discount = 0.3 }

[[placements.lively.rules]]
name = "news-first"
do = "pin"
filter = 'kind == "article"'
slot = 1

[[placements.lively.rules]]
name = "less-drama"
do = "bury"
filter = '"drama" in categories'
factor = 0.5

[[placements.lively.rules]]
name = "two-of-each"
do = "limit"
of = "categories"
at_most = 2
within = 4

[placements.strict]
kinds = ["media"]
score_floor = 0.02
fallback = "none"

[[placements.strict.rules]]
name = "no-cheap-ones"
do = "exclude"
filter = "price < 2.0"
"""


@pytest.fixture
def placed(world: World, serve: Serve, tmp_path: Path) -> Deployment:
    path = tmp_path / "placements.toml"
    path.write_text(PLACEMENTS, encoding="utf-8")
    world.publish()
    return serve(placements=path, counts_poll_s=0.1, changes_poll_s=0.1)


def recorded(placed: Deployment, feed: Feed) -> None:
    """Wait until the record of a feed is written, which happens behind its back."""
    with placed.world.open() as store:
        assert soon(lambda: store.get_decision(UUID(feed.decision_id).bytes) is not None)


def explained(placed: Deployment, feed: Feed, item: str) -> ExplainDecisionResponse:
    recorded(placed, feed)
    return placed.client.explain_decision(decision_id=feed.decision_id, item=item)


def test_random_decisions_are_made_again_as_they_were(placed: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(3)
    items = [f"{taste}-{place:02}" for taste, count in (("comedy", 12), ("drama", 12), ("news", 6)) for place in range(count)]
    kinds = [EventType.CLICK, EventType.LIKE, EventType.IMPRESSION, EventType.HIDE, EventType.READ]
    feeds = []
    for step in range(60):
        who = {"user": rng.choice(["ann", "ben"])} if rng.random() < 0.7 else {"session": "s"}
        placed.act(rng.choice(items), rng.choice(kinds), **who)
        if step % 15 == 14:
            placed.client.set_state([rng.choice(items)], rng.choice([ItemState.HIDDEN, ItemState.LIVE]))
        wanted = {"placement": rng.choice(["home", "lively", "strict"]), "page_size": rng.choice([1, 4, 30])}
        match step % 5:
            case 0:
                feeds += placed.client.get_slates([Slate(**wanted), Slate(placement="lively", page_size=3)], **who)
            case 1:
                feeds.append(placed.client.get_similar(rng.sample(items, 1 + step % 2), placement=wanted["placement"]))
            case 2:
                feeds.append(placed.client.get_popular(category=rng.choice(["", "drama"])))
            case 3:
                feeds.append(placed.client.rank(rng.sample(items, 9), **who))
            case _:
                feeds.append(
                    placed.client.get_feed(**who, **wanted, filter=rng.choice(["", "price > 3.0"]), language=rng.choice(["", "de"]))
                )
        feeds.append(placed.client.get_feed(**who, **wanted, current_item=rng.choice(items), muted_categories=rng.choice([[], ["news"]])))
    unequal = []
    for feed in feeds:
        recorded(placed, feed)
        again = placed.client.replay_decision(decision_id=feed.decision_id)
        assert [item.item_id for item in again.recorded][: len(feed.items)] == [item.id for item in feed.items]
        assert again.decision.placement == feed.placement
        # Of items whose state changed later it is not known any more whether they could be shown.
        if not again.equal:
            assert any("items changed after it" in doubt for doubt in again.inexact), again
            unequal.append(feed)
    assert len(unequal) < len(feeds) / 3
    capsys.readouterr()
    assert run(["decisions", "replay", "--sample", "1000", "--data", str(placed.world.data)]) == 0
    assert f"{len(feeds) - len(unequal)} equal" in capsys.readouterr().out


def test_chance_is_made_again_too(placed: Deployment) -> None:
    feeds = [placed.client.get_feed(user="ann", placement="lively") for _ in range(8)]
    assert len({tuple(item.id for item in feed.items) for feed in feeds}) > 1
    for feed in feeds:
        recorded(placed, feed)
        again = placed.client.replay_decision(token=feed.items[0].token)
        assert again.equal
        assert not again.inexact
        assert {item.probability for item in again.items} != {1.0}


def test_what_was_shown_is_explained_stage_by_stage(placed: Deployment) -> None:
    placed.act("drama-03", user="ann")
    feed = placed.client.get_feed(user="ann", page_size=10)
    first = feed.items[0]
    found = explained(placed, feed, first.id)
    assert (found.place, found.stop.stage, found.item_id) == (1, "", first.id)
    assert (found.eligible_items, found.decision.subject.user_id) == (feed.eligible_items, "ann")
    assert 0 < found.rank <= found.candidates <= found.eligible_items
    assert found.score == pytest.approx(first.score)
    assert sum(said.contribution for said in found.sources) == pytest.approx(found.score, rel=1e-5)
    assert [said.contribution for said in found.sources] == sorted((said.contribution for said in found.sources), reverse=True)
    assert found.reason.text == first.reason
    assert found.probability == 1
    assert placed.client.explain_decision(token=first.token) == found


def test_rules_and_what_was_passed_over_are_told(placed: Deployment) -> None:
    for _ in range(3):
        placed.act("drama-01", EventType.IMPRESSION, user="ann")
    feed = placed.client.get_feed(user="ann", placement="lively", page_size=20)
    drama = explained(placed, feed, "drama-01")
    assert [(rule.name, rule.does, rule.effect) for rule in drama.rules] == [
        ("less-drama", "bury", "score times 0.5"),
        ("two-of-each", "limit", "at most 2 in 4 places of each categories"),
    ]
    assert drama.kept == pytest.approx(0.7**3, rel=0.01)
    pinned = explained(placed, feed, feed.items[0].id)
    assert (pinned.placing, pinned.reason.kind) == (Placing.PINNED, ReasonKind.PROMOTED)
    assert pinned.rules[0].effect == "may stand at place 1"


@pytest.mark.parametrize(
    ("item", "wanted", "stage", "said"),
    [
        ("drama-02", {}, "consumed", "had it already"),
        ("drama-03", {}, "dismissed", "dismissed"),
        ("comedy-04", {"exclude": ["comedy-04"]}, "excluded", "excludes"),
        ("comedy-04", {"current_item": "comedy-04"}, "excluded", "stands on its page"),
        ("comedy-04", {"kinds": [ItemKind.ARTICLE]}, "kind", "another kind"),
        ("news-02", {"placement": "strict"}, "kind", "another kind"),
        ("news-01", {"language": "en"}, "language", "another language than en"),
        ("comedy-09", {"filter": "price < 5.0"}, "filter", "price < 5.0"),
        ("comedy-01", {"placement": "strict"}, "rule", "no-cheap-ones"),
        ("comedy-05", {"muted_categories": ["comedy"]}, "muted", "categories"),
        ("comedy-06", {}, "hidden", "hidden"),
    ],
)
def test_what_was_not_shown_is_told_by_the_limit_that_stopped_it(
    item: str, wanted: dict[str, object], stage: str, said: str, placed: Deployment
) -> None:
    placed.act("drama-02", EventType.LIKE, user="ann")
    placed.act("drama-03", EventType.HIDE, user="ann")
    placed.client.set_state(["comedy-06"], ItemState.HIDDEN)
    feed = placed.client.get_feed(user="ann", page_size=30, **wanted)  # type: ignore[arg-type]
    assert item not in [shown.id for shown in feed.items]
    found = explained(placed, feed, item)
    assert (found.place, found.stop.stage) == (0, stage)
    assert said in found.stop.detail


def test_what_ranked_too_low_is_told_by_its_rank_or_its_score(placed: Deployment) -> None:
    placed.act("drama-03", user="ann")
    feed = placed.client.get_feed(user="ann", placement="lively", page_size=20)
    missing = {f"comedy-{place:02}" for place in range(12)} | {f"drama-{place:02}" for place in range(12)}
    missing -= {item.id for item in feed.items} | {"drama-03"}
    stages = {explained(placed, feed, item).stop.stage for item in sorted(missing)}
    assert stages
    assert stages <= {"rank", "quota", "slate"}
    strict = placed.client.get_feed(user="ann", placement="strict")
    left = [f"comedy-{place:02}" for place in range(2, 12) if f"comedy-{place:02}" not in [item.id for item in strict.items]]
    assert {explained(placed, strict, item).stop.stage for item in left} <= {"score floor", "score"}


def test_an_item_that_came_later_is_told_so(placed: Deployment) -> None:
    feed = placed.client.get_feed(user="ann")
    with placed.world.open() as store:
        [item] = store.get_items(["news-00"])
        store.upsert_items([type(item.item)(id="later", kind=ItemKind.MEDIA, title="Later")], now=datetime.now(UTC))
    found = explained(placed, feed, "later")
    assert found.stop.stage == "generation"


def test_what_is_not_kept_any_more_is_told(placed: Deployment) -> None:
    quiet = placed.client.get_feed(user="ann", consent=Consent.PERSONALISE)
    recorded(placed, quiet)
    with pytest.raises(Refused, match="did not allow to be counted"):
        placed.client.replay_decision(decision_id=quiet.decision_id)
    feed = placed.client.get_feed(user="ben")
    recorded(placed, feed)
    placed.world.publish()
    placed.world.generations.remove(lambda: [feed.generation_id])
    with pytest.raises(Refused, match=f"generation {feed.generation_id}, which decided, is not kept any more"):
        placed.client.replay_decision(decision_id=feed.decision_id)


def test_bad_questions_are_refused_by_field(placed: Deployment) -> None:
    client = placed.client
    feed = client.get_feed(user="ann")
    recorded(placed, feed)
    with pytest.raises(InvalidArgument, match="decision_id: given 'nonsense'"):
        client.replay_decision(decision_id="nonsense")
    with pytest.raises(InvalidArgument, match="item_id: given 'nothing'"):
        client.explain_decision(decision_id=feed.decision_id)
    with pytest.raises(InvalidArgument, match="token"):
        client.explain_decision(token="nonsense")
    with pytest.raises(Missing, match="no record of the decision"):
        client.replay_decision(decision_id="0" * 32)
    with pytest.raises(Missing, match="no item 'atlantis'"):
        client.explain_decision(decision_id=feed.decision_id, item="atlantis")


def test_the_command_explains_what_was_and_was_not_shown(placed: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    placed.act("drama-03", user="ann")
    feed = placed.client.get_feed(user="ann")
    recorded(placed, feed)
    data = ["--data", str(placed.world.data)]
    assert run(["decisions", "explain", feed.decision_id, feed.items[0].id, *data]) == 0
    shown = capsys.readouterr().out
    assert "place 1 of the slate, ranked" in shown
    assert "the reader is told: Because you clicked Drama 3" in shown
    assert run(["decisions", "explain", feed.decision_id, "drama-03", *data]) == 0
    assert "not shown (consumed): the person had it already" in capsys.readouterr().out
    assert run(["decisions", "replay", feed.decision_id, *data]) == 0
    assert "1 decisions made again: 1 equal" in capsys.readouterr().out
    assert run(["decisions", "explain", feed.decision_id, "atlantis", *data]) == 1
    assert "no item 'atlantis'" in capsys.readouterr().err
