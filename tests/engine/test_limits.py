"""What may not be shown is not shown: by no source, by no fallback, and `eligible` says the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, checkerboard, engine_of, feed_of, history_of, number_of, rows_in, some_items
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.errors import InvalidCondition, InvalidInput
from recommender.feeds import Muted, Query, SourceName
from recommender.generation import Contents
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placement
from recommender.store import Change
from recommender.times import MISSING_TIME, to_micros

N = 36
EVERY_NUMBER = np.array([number_of(row) for row in range(N)], dtype=np.uint32)
DAY = timedelta(days=1)


def item_of(row: int, item: Item) -> Item:
    """Kinds in turn by 3, languages by 4, categories by 5, authors and regions by 7, windows by 9."""
    windows = {0: (None, None), 1: (NOW - DAY, NOW + DAY), 2: (NOW + DAY, None), 3: (None, NOW), 4: (NOW, None)}
    start, end = windows.get(row % 9, (None, None))
    return replace(
        item,
        kind=ItemKind(1 + row % 3),
        language=["en", "en-gb", "fr", ""][row % 4],
        categories=("news", "sport")[: row % 3] if row % 5 else (),
        author=f"author-{row % 7}" if row % 7 else "",
        owner=f"owner-{row % 7}" if row % 7 else "",
        attributes={"regions": ["FR", "FR-ARA, DE", "de-by"][row % 7]} if row % 7 < 3 else {},
        valid_from=start,
        valid_to=end,
        price=float(row),
    )


def contents() -> Contents:
    made = checkerboard(N, [item_of(row, item) for row, item in enumerate(some_items(N))])
    states = [ItemState.HIDDEN if row % 8 == 7 else ItemState.LIVE for row in range(N)]
    catalogue = type(made.catalogue).of(
        [(number_of(row), state, item_of(row, item)) for row, (state, item) in enumerate(zip(states, some_items(N), strict=True))]
    )
    return replace(made, catalogue=catalogue)


ENGINE = engine_of(contents())


def in_window(row: int) -> bool:
    return row % 9 not in (2, 3)


def live(row: int) -> bool:
    return row % 8 != 7


@dataclass(frozen=True)
class Limit:
    """A limit on a query, and which rows pass it."""

    change: dict[str, object]
    passes: Callable[[int], bool]


LIMITS = {
    "nothing asked": Limit({}, lambda row: True),
    "one kind": Limit({"kinds": frozenset({ItemKind.ARTICLE})}, lambda row: row % 3 == 0),
    "two kinds": Limit({"kinds": frozenset({ItemKind.ARTICLE, ItemKind.MEDIA})}, lambda row: row % 3 != 1),
    "the placement's kinds": Limit({"placement": {"kinds": frozenset({ItemKind.PRODUCT})}}, lambda row: row % 3 == 1),
    "kinds of query and placement": Limit(
        {"placement": {"kinds": frozenset({ItemKind.PRODUCT, ItemKind.MEDIA})}, "kinds": frozenset({ItemKind.MEDIA, ItemKind.ARTICLE})},
        lambda row: row % 3 == 2,
    ),
    "no kind in common": Limit(
        {"placement": {"kinds": frozenset({ItemKind.PRODUCT})}, "kinds": frozenset({ItemKind.MEDIA})}, lambda row: False
    ),
    "a language, its regions and the unknown": Limit({"language": "en"}, lambda row: row % 4 != 2),
    "a region, its language and the unknown": Limit({"language": "EN-GB"}, lambda row: row % 4 != 2),
    "another region": Limit({"language": "en-us"}, lambda row: row % 4 in (0, 3)),
    "a language that nothing has": Limit({"language": "zz"}, lambda row: row % 4 == 3),
    "a category": Limit({"category": "sport"}, lambda row: row % 5 != 0 and row % 3 == 2),
    "a category that nothing has": Limit({"category": "weather"}, lambda row: False),
    "a reader's region, what holds it and what lies within": Limit({"region": "FR-ARA"}, lambda row: row % 7 != 2),
    "another part of the region": Limit({"region": "fr-bre"}, lambda row: row % 7 not in (1, 2)),
    "the whole of a region": Limit({"region": "DE"}, lambda row: row % 7 != 0),
    "a region that nothing is for": Limit({"region": "US"}, lambda row: row % 7 > 2),
    "muted authors": Limit({"muted": Muted(authors=("author-2", "author-5", "nobody"))}, lambda row: row % 7 not in (2, 5)),
    "muted categories": Limit({"muted": Muted(categories=("sport", "nothing"))}, lambda row: not (row % 5 and row % 3 == 2)),
    "muted words": Limit(
        {"muted": Muted(words=("TITLE 7", "áuthor-3", "sport news", "nothing"))},
        lambda row: row not in (7,) and row % 7 != 3 and not (row % 5 and row % 3 == 2),
    ),
    "what is one's own": Limit({"owner": "owner-3"}, lambda row: row % 7 != 3),
    "another's own": Limit({"owner": "somebody"}, lambda row: True),
    "a filter": Limit({"filter": "price >= 10.0 && kind != 'media'"}, lambda row: row >= 10 and row % 3 != 2),
    "a filter on time": Limit({"filter": "published_at > now - duration('270m')"}, lambda row: row < 5),
    "an exclusion": Limit({"exclude": tuple(number_of(row) for row in (0, 1, 999))}, lambda row: row > 1),
    "the consumed": Limit({"consumed": BitMap(map(number_of, range(0, N, 2)))}, lambda row: row % 2 == 1),
    "the consumed, where repeats are allowed": Limit(
        {"placement": {"repeat": "allowed"}, "consumed": BitMap(map(number_of, range(0, N, 2)))}, lambda row: True
    ),
    "the dismissed": Limit({"dismissed": BitMap(map(number_of, range(10)))}, lambda row: row >= 10),
    "the dismissed, where repeats are allowed": Limit(
        {"placement": {"repeat": "allowed"}, "dismissed": BitMap(map(number_of, range(10)))}, lambda row: row >= 10
    ),
    "given candidates": Limit(
        {"candidates": np.array([number_of(row) for row in (1, 4, 5, 8, 999)], dtype=np.uint32)}, lambda row: row in (1, 4, 5, 8)
    ),
    "no candidates": Limit({"candidates": np.zeros(0, dtype=np.uint32)}, lambda row: False),
    "given items": Limit({"seeds_are_items": True}, lambda row: row not in (4, 5, 6)),
    "all at once": Limit(
        {"kinds": frozenset({ItemKind.ARTICLE}), "language": "en", "filter": "price < 30.0", "exclude": (number_of(0),)},
        lambda row: row % 3 == 0 and row % 4 != 2 and 0 < row < 30,
    ),
}


def query_of(limit: Limit, placement: Placement = HOME, **more: object) -> Query:
    changes = dict(limit.change)
    placement = placement.model_copy(update=changes.pop("placement", {}))  # type: ignore[arg-type]
    return Query(placement, N, history=history_of(4, 5, 6), **changes, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("source", [*SourceName, None])
def test_every_source_and_the_blend_keep_within_limits(name: str, source: SourceName | None) -> None:
    passing = {row for row in range(N) if LIMITS[name].passes(row) and in_window(row) and live(row)}
    only = None if source is None else frozenset({source})
    short = feed_of(ENGINE, query_of(LIMITS[name], HOME.model_copy(update={"fallback": "none"}), sources=only))
    assert set(rows_in(short)) <= passing
    for fallback in ("popular", "fresh"):
        full = feed_of(ENGINE, query_of(LIMITS[name], HOME.model_copy(update={"fallback": fallback}), sources=only))
        assert set(rows_in(full)) == passing
        assert full.eligible == len(passing)
        assert rows_in(full)[: len(short.numbers)] == rows_in(short)


@pytest.mark.parametrize("name", LIMITS)
def test_eligible_says_what_feeds_show(name: str) -> None:
    query = query_of(LIMITS[name])
    shown = set(feed_of(ENGINE, query).numbers.tolist())
    assert ENGINE.eligible(query, EVERY_NUMBER, now=NOW).tolist() == [int(number) in shown for number in EVERY_NUMBER]


def test_eligible_is_false_for_numbers_of_no_item() -> None:
    unknown = np.array([0, 11, number_of(N), 2**32 - 1], dtype=np.uint32)
    assert ENGINE.eligible(Query(HOME, 1), unknown, now=NOW).tolist() == [False] * 4


def test_a_window_opens_and_closes_on_the_microsecond() -> None:
    [opening, closing] = (
        next(row for row in range(N) if row % 9 == 2 and live(row)),
        next(row for row in range(N) if row % 9 == 1 and live(row)),
    )
    numbers = np.array([number_of(opening), number_of(closing)], dtype=np.uint32)
    instant = timedelta(microseconds=1)

    def shown(now: datetime) -> list[bool]:
        return ENGINE.eligible(Query(HOME, 1), numbers, now=now).tolist()

    assert shown(NOW + DAY - instant) == [False, True]
    assert shown(NOW + DAY) == [True, False]


def test_a_filter_on_time_moves_on_with_the_clock() -> None:
    query = Query(HOME, N, filter="published_at > now - duration('5h')")
    now_shown = set(rows_in(feed_of(ENGINE, query)))
    later = set(rows_in(feed_of(ENGINE, query, now=NOW + timedelta(hours=3))))
    assert later < now_shown


def test_who_asked_earlier_within_the_minute_changes_no_answer() -> None:
    query = Query(HOME, N, filter="published_at <= now - duration('30s')")
    seconds = [NOW.replace(second=second) for second in (0, 29, 31, 59)]
    forwards, backwards = engine_of(contents()), engine_of(contents())
    asked = [rows_in(feed_of(forwards, query, now=now)) for now in seconds]
    assert asked == [rows_in(feed_of(backwards, query, now=now)) for now in seconds[::-1]][::-1]


def test_a_bad_filter_is_refused_and_not_ignored() -> None:
    with pytest.raises(InvalidCondition):
        feed_of(ENGINE, Query(HOME, 5, filter="colour == 'red'"))


def test_a_moment_without_its_offset_is_refused() -> None:
    with pytest.raises(InvalidInput, match="offset"):
        feed_of(ENGINE, Query(HOME, 5), now=datetime(2026, 3, 1))


def change_of(row: int, state: ItemState, *, start: int = MISSING_TIME, end: int = MISSING_TIME, born: int = 0) -> Change:
    """A change of an item whose present life began with change `born`; the generation was read at change 0."""
    return Change(sequence=1, number=number_of(row), state=state, first_change=born, valid_from=start, valid_to=end)


def shown_by(engine: Recommender, row: int, now: datetime = NOW) -> bool:
    return row in rows_in(feed_of(engine, Query(HOME, N), now=now))


def test_a_hidden_item_vanishes_and_comes_back_while_the_old_engine_stays_as_it_was() -> None:
    assert shown_by(ENGINE, 0)
    hidden = ENGINE.with_changes([change_of(0, ItemState.HIDDEN)], 41)
    assert (ENGINE.change, hidden.change) == (0, 41)
    assert not shown_by(hidden, 0)
    assert shown_by(ENGINE, 0)
    again = hidden.with_changes([change_of(0, ItemState.LIVE)], 42)
    assert shown_by(again, 0)
    assert not shown_by(hidden, 0)


def test_an_item_hidden_when_built_is_shown_once_it_is_live() -> None:
    assert not shown_by(ENGINE, 7)
    assert shown_by(ENGINE.with_changes([change_of(7, ItemState.LIVE)], 1), 7)


def test_a_deleted_item_is_neither_shown_nor_known() -> None:
    gone = ENGINE.with_changes([change_of(5, ItemState.DELETED)], 1)
    assert not shown_by(gone, 5)
    assert gone.numbers_of(["item-5", "item-6"])[1] == ["item-5"]
    assert ENGINE.numbers_of(["item-5"])[0].tolist() == [number_of(5)]


def test_a_deleted_item_that_is_made_anew_waits_for_the_next_generation() -> None:
    anew = ENGINE.with_changes([change_of(5, ItemState.DELETED)], 1).with_changes([change_of(5, ItemState.LIVE, born=2)], 2)
    at_once = ENGINE.with_changes([change_of(5, ItemState.LIVE, born=2)], 2)
    for engine in (anew, at_once):
        assert not shown_by(engine, 5)
        assert engine.numbers_of(["item-5"])[1] == ["item-5"]


def test_a_hidden_item_is_known_though_not_shown() -> None:
    numbers, unknown = ENGINE.numbers_of(["item-7"])
    assert (numbers.tolist(), unknown) == ([number_of(7)], [])


def test_a_changed_window_holds_at_once() -> None:
    tomorrow = to_micros(NOW + DAY)
    later = ENGINE.with_changes([change_of(0, ItemState.LIVE, start=tomorrow)], 1)
    assert not shown_by(later, 0)
    assert shown_by(later, 0, now=NOW + DAY)
    ended = ENGINE.with_changes([change_of(0, ItemState.LIVE, end=tomorrow)], 1)
    assert shown_by(ended, 0)
    assert not shown_by(ended, 0, now=NOW + DAY)
    opened = ENGINE.with_changes([change_of(2, ItemState.LIVE)], 1)
    assert not shown_by(ENGINE, 2)
    assert shown_by(opened, 2)


def test_of_several_changes_of_one_item_the_last_holds() -> None:
    engine = ENGINE.with_changes([change_of(0, ItemState.HIDDEN), change_of(0, ItemState.LIVE), change_of(1, ItemState.HIDDEN)], 3)
    assert shown_by(engine, 0)
    assert not shown_by(engine, 1)


def test_changes_of_items_that_a_generation_lacks_only_move_the_sequence() -> None:
    engine = ENGINE.with_changes([change_of(N + 3, ItemState.LIVE)], 9)
    assert engine.change == 9
    assert rows_in(feed_of(engine, Query(HOME, N))) == rows_in(feed_of(ENGINE, Query(HOME, N)))
    assert ENGINE.with_changes([], 10).change == 10


def test_filters_seen_before_hold_for_the_changed_engine_too() -> None:
    query = Query(HOME, N, filter="price < 6.0")
    assert 0 in rows_in(feed_of(ENGINE, query))
    assert 0 not in rows_in(feed_of(ENGINE.with_changes([change_of(0, ItemState.HIDDEN)], 1), query))
    assert 0 in rows_in(feed_of(ENGINE, query))


def test_times_are_read_in_any_zone() -> None:
    from datetime import timezone

    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert elsewhere.tzinfo is not UTC
    query = Query(HOME, N, filter="published_at > now - duration('5h')")
    assert rows_in(feed_of(ENGINE, query, now=elsewhere)) == rows_in(feed_of(ENGINE, query))
