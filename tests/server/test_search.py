"""Search through a real server: what front ends see of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from click.testing import CliRunner
from waiting import soon

from recommender.client import InvalidArgument, Missing
from recommender.events import Consent, EventType
from recommender.feeds import Basis, Degradation, Placing
from recommender.items import Item, ItemKind, ItemState
from server.search_command import search as search_command

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, World


def found(live: Deployment, query: str, **wanted: object) -> list[str]:
    return [item.id for item in live.client.search(query, **wanted).items]  # type: ignore[arg-type]


def test_a_title_comes_first_with_a_token_and_its_reason(live: Deployment) -> None:
    answer = live.client.search("Drama 7", page_size=5)
    first = answer.items[0]
    assert (first.id, first.title, first.reason) == ("drama-07", "Drama 7", "Title matches your search")
    assert first.placing is Placing.RANKED
    assert first.score > 1 > answer.items[1].score
    assert answer.basis is Basis.CONTEXTUAL
    assert answer.degraded == (Degradation("meaning", "no model"),)
    assert live.act("drama-07", token=first.token, user="ann") == "taken"


def test_a_misspelt_title_is_found(live: Deployment) -> None:
    for typed in ("drmaa 7", "darma 7", "drama7", "xdrama 7"):
        assert "drama-07" in found(live, typed)[:10]


def test_what_was_consumed_or_dismissed_is_found(live: Deployment) -> None:
    for type in (EventType.READ, EventType.HIDE):
        assert live.act("drama-07", type, user="ann") == "taken"
    assert found(live, "Drama 7", user="ann")[0] == "drama-07"


def test_limits_hold_as_they_do_for_feeds(live: Deployment) -> None:
    assert set(found(live, "drama", filter="price > 9.0")) == {"drama-10", "drama-11"}
    assert "drama-07" not in found(live, "Drama 7", exclude=["drama-07"])
    assert found(live, "drama", kinds=[ItemKind.ARTICLE]) == []
    assert all(int(item_id[-2:]) % 2 == 0 for item_id in found(live, "news", language="en"))
    assert len(found(live, "drama", page_size=3)) == 3


def test_a_hidden_item_is_gone_with_the_next_search(live: Deployment) -> None:
    live.client.set_state(["drama-07"], ItemState.HIDDEN)
    assert "drama-07" not in found(live, "Drama 7")
    live.client.set_state(["drama-07"], ItemState.LIVE)
    assert found(live, "Drama 7")[0] == "drama-07"
    live.client.delete_items(["drama-07"])
    assert "drama-07" not in found(live, "Drama 7")


def test_a_new_item_and_a_new_title_are_found_and_the_old_title_no_longer(live: Deployment) -> None:
    assert found(live, "drama 3")[0] == "drama-03"
    new = Item(id="new", kind=ItemKind.MEDIA, title="Zanzibar Express", text="-", author="Vera Quist")
    changed = replace(new, id="drama-03", title="Quixotic Penguins", author="")
    live.client.upsert_items([new, changed])
    assert soon(lambda: found(live, "zanzibar expres")[:1] == ["new"])
    assert found(live, "vera quist")[:1] == ["new"]
    assert found(live, "quixotic penguin")[:1] == ["drama-03"]
    assert "drama-03" not in found(live, "Drama 3")
    live.client.set_state(["new"], ItemState.HIDDEN)
    assert found(live, "zanzibar express") == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "query: given 'nothing to search for'"),
        (" \t\n ", "query: given 'nothing to search for'"),
        ("\x00\x07", "query: given 'nothing to search for'"),
        ("x" * 501, "query: given '501 characters'"),
        ("x " * 5_000, "query: given '10000 characters'"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_by_name(live: Deployment, typed: str, told: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        live.client.search(typed)
    assert told in str(caught.value)
    assert "1 to 500 characters" in str(caught.value)


@pytest.mark.parametrize("typed", ["x" * 500, "drama\x007", "\u200e", "𝕯𝖗𝖆𝖒𝖆 7", "'; DROP TABLE items; --", "東京", "🎬🎬🎬", "%s %d {0}"])
def test_whatever_else_is_typed_is_answered(live: Deployment, typed: str) -> None:
    live.client.search(typed)


def test_letters_of_another_form_are_the_same_letters(live: Deployment) -> None:
    assert found(live, "𝕯𝖗𝖆𝖒𝖆 7")[0] == found(live, "drama\x007")[0] == "drama-07"


def test_bad_filters_and_placements_are_named(live: Deployment) -> None:
    with pytest.raises(InvalidArgument, match="filter"):
        live.client.search("drama", filter="nonsense == 1")
    with pytest.raises(Missing, match="placement"):
        live.client.search("drama", placement="nowhere")


def test_who_searches_moves_what_fits_and_only_where_they_allow_it(live: Deployment) -> None:
    for place in (9, 10, 11):
        live.act(f"comedy-{place:02}", EventType.LIKE, user="ann")
    everybody = live.client.search("sample comedy drama", page_size=30)
    mine = live.client.search("sample comedy drama", page_size=30, user="ann")
    assert mine.basis is Basis.PERSONAL
    assert {item.id for item in mine.items} == {item.id for item in everybody.items}
    not_allowed = live.client.search("sample comedy drama", page_size=30, user="ann", consent=Consent.TRAIN)
    assert not_allowed.basis is Basis.CONTEXTUAL
    assert [item.id for item in not_allowed.items] == [item.id for item in everybody.items]


def test_an_explanation_sums_to_the_score(live: Deployment) -> None:
    for item in live.client.search("drama 7", explain=True).items:
        assert sum(part.part for part in item.explanation) == pytest.approx(item.score, abs=1e-5)


def test_a_served_record_holds_what_was_searched_for(world: World, live: Deployment) -> None:
    from recommender.served_query import decode_query

    answer = live.client.search("Drama 7", user="ann")
    live.server.stop()
    with world.open() as store:
        kept = store.get_decision(UUID(answer.decision_id).bytes)
    assert kept is not None
    assert decode_query(kept.query).text == "Drama 7"
    assert len(kept.numbers) == len(answer.items)


def test_the_command_prints_what_is_found(live: Deployment) -> None:
    target = live.server.addresses.listen
    result = CliRunner().invoke(search_command, ["drmaa 7", "--target", target, "--size", "3"])
    assert result.exit_code == 0, result.output
    assert "Drama 7" in result.output
    assert "left out: meaning (no model)" in result.output
    assert CliRunner().invoke(search_command, ["x", "--user", "a", "--session", "b", "--target", target]).exit_code == 2
    assert CliRunner().invoke(search_command, ["", "--target", target]).exit_code == 1
