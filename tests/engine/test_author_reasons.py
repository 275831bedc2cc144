"""New from an author you follow: said where it is true, and no longer once the cause is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Feed, Query, Reason, ReasonKind, SourceName
from recommender.items import Item, ItemKind, ItemState
from recommender.people import History
from recommender.placements import Placement
from recommender.reasons import reason_text
from recommender.segments import Delta

AUTHORS = ["Ann", "Bob", "Ann", "Ann", "", "Ann", "Bob", "É. Zola"]
"""Of the items by row; row r was published r hours ago."""
BY_FRESHNESS: Placement = HOME.model_copy(update={"weights": HOME.weights.model_copy(update={"fresh": (9.0, 9.0, 9.0, 9.0)})})


def engine_with(authors: list[str]) -> Recommender:
    items = [replace(item, author=author) for item, author in zip(some_items(len(authors)), authors, strict=True)]
    return engine_of(contents_of(items, popularity=[1.0] * len(authors)))


ENGINE = engine_with(AUTHORS)


def reasons_of(engine: Recommender, history: History, **wanted: object) -> dict[int, Reason]:
    query = Query(BY_FRESHNESS, 20, history=history, reasons=20, sources=frozenset({SourceName.FRESH}))
    feed: Feed = feed_of(engine, replace(query, **wanted))  # type: ignore[arg-type]
    return dict(zip(rows_in(feed), feed.reasons, strict=True))


def test_what_is_new_from_an_author_of_two_items_of_the_history_says_so() -> None:
    reasons = reasons_of(ENGINE, history_of(2, 3, 1))
    assert reasons[0] == Reason(ReasonKind.NEW_FROM_AUTHOR, SourceName.FRESH, (number_of(3), number_of(2)), author="Ann")
    assert reason_text(reasons[0], {}) == "New from an author you follow: Ann"
    # One item of Bob's is no more than chance, and nobody follows nobody.
    assert {reasons[row].kind for row in (4, 6, 7)} == {ReasonKind.FRESH}


@pytest.mark.parametrize("left", [(2, 1), (3, 1), (1, 4)])
def test_without_its_cause_it_is_new_and_no_more(left: tuple[int, ...]) -> None:
    assert reasons_of(ENGINE, history_of(*left))[0] == Reason(ReasonKind.FRESH, SourceName.FRESH)


def test_it_is_new_and_no_more_once_it_is_of_another_author() -> None:
    assert reasons_of(engine_with(["Zoe", *AUTHORS[1:]]), history_of(2, 3))[0].kind is ReasonKind.FRESH


def test_an_author_whose_items_were_disliked_is_not_followed() -> None:
    disliked = history_of(2, 3, 5, type=EventType.DISLIKE)
    assert reasons_of(ENGINE, disliked)[0].kind is ReasonKind.FRESH


def test_an_item_taken_up_twice_is_one_and_does_not_speak_for_itself() -> None:
    assert reasons_of(ENGINE, history_of(2, 2, 2))[0].kind is ReasonKind.FRESH
    allowed = BY_FRESHNESS.model_copy(update={"repeat": "allowed"})
    query = Query(allowed, 8, history=history_of(0, 2), reasons=8, sources=frozenset({SourceName.FRESH}))
    feed = feed_of(ENGINE, query)
    kinds = dict(zip(rows_in(feed), [reason.kind for reason in feed.reasons], strict=True))
    # Row 0 has one other item of Ann's in the history, row 3 has two.
    assert (kinds[0], kinds[3]) == (ReasonKind.FRESH, ReasonKind.NEW_FROM_AUTHOR)


def test_no_more_than_three_causes_are_named_the_newest_first() -> None:
    engine = engine_with(["Ann"] * 8)
    assert reasons_of(engine, history_of(3, 4, 5, 6))[0].because == (number_of(6), number_of(5), number_of(4))


def test_the_order_is_what_it_was() -> None:
    query = Query(BY_FRESHNESS, 8, history=history_of(2, 3), reasons=8)
    assert rows_in(feed_of(ENGINE, query)) == rows_in(feed_of(engine_with([""] * 8), query))


def test_later_pages_say_it_too() -> None:
    query = Query(BY_FRESHNESS, 8, history=history_of(2, 3), reasons=8, sources=frozenset({SourceName.FRESH}))
    feed = feed_of(ENGINE, query)
    again = ENGINE.reasons(query, feed.numbers[1:], feed.sources[1:], now=NOW)
    assert again == tuple(feed.reasons)[1:]
    assert feed.reasons[1:] == tuple(feed.reasons)[1:]


def test_given_items_have_no_author_whom_anybody_follows() -> None:
    reasons = reasons_of(ENGINE, history_of(2, 3), seeds_are_items=True)
    assert reasons[0].kind is ReasonKind.FRESH


def test_a_new_item_laid_over_the_generation_has_an_author_too() -> None:
    added = [
        Item("new-a", ItemKind.MEDIA, author="Ann", published_at=NOW),
        Item("new-z", ItemKind.MEDIA, author="É. Zola", published_at=NOW - timedelta(minutes=1)),
        Item("new-n", ItemKind.MEDIA, author="Nina", published_at=NOW - timedelta(minutes=2)),
        Item("new-m", ItemKind.MEDIA, author="Nina", published_at=NOW - timedelta(minutes=3)),
        Item("new-o", ItemKind.MEDIA, author="Nina", published_at=NOW - timedelta(minutes=4)),
    ]
    delta = Delta.of(
        [(number_of(8 + place), ItemState.LIVE, item) for place, item in enumerate(added)], np.zeros((5, 4), np.float32), dimension=4
    )
    engine = ENGINE.with_overlay(delta, 1, [])
    followed = reasons_of(engine, history_of(2, 3, 10, 11))
    assert (followed[8].kind, followed[8].author) == (ReasonKind.NEW_FROM_AUTHOR, "Ann")
    assert followed[9].kind is ReasonKind.FRESH
    assert (followed[12].kind, followed[12].author) == (ReasonKind.NEW_FROM_AUTHOR, "Nina")
    assert followed[12].because == (number_of(11), number_of(10))
