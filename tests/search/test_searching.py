"""A search through the engine, on small catalogues whose right answers can be read off them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, contents_of, history_of, number_of, rows_in
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.engine import Recommender
from recommender.errors import InvalidCondition
from recommender.feeds import Feed, Muted, Query, ReasonKind
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.search.reading import MOST_WORDS
from recommender.segments import Delta
from recommender.store import Change

FILMS = [
    ("Alien (1979)", "Ridley Scott", ("Horror", "Sci-Fi"), "en"),
    ("Aliens (1986)", "James Cameron", ("Action", "Sci-Fi"), "en"),
    ("Diva (1981)", "Jean-Jacques Beineix", ("Drama",), "fr"),
    ("M (1931)", "Fritz Lang", ("Crime",), "de"),
    ("Kolya (1996)", "Jan Svěrák", ("Comedy",), "cs"),
    ("The Godfather (1972)", "Francis Ford Coppola", ("Crime", "Drama"), "en"),
    ("東京物語", "小津安二郎", ("Drama",), "ja"),
    ("Le Fabuleux Destin d'Amélie Poulain", "Jean-Pierre Jeunet", ("Comedy",), "fr"),
    ("Untitled", "", (), ""),
    ("Untitled", "", (), ""),
    ("???", "", (), ""),
    ("", "Nobody", ("Drama",), ""),
]
PLACEMENT = HOME.model_copy(update={"repeat": "allowed", "fallback": "none"})


def films() -> list[Item]:
    return [
        Item(id=f"f{row}", kind=ItemKind.MEDIA, title=title, text="-", author=author, categories=categories, language=language)
        for row, (title, author, categories, language) in enumerate(FILMS)
    ]


def engine(**given: object) -> Recommender:
    return Recommender.unpublished(contents_of(films(), **given), BuildSettings())  # type: ignore[arg-type]


def ask(recommender: Recommender, text: str, **given: object) -> Feed:
    query = Query(**{"placement": PLACEMENT, "size": 10, "text": text, "reasons": 10, **given})  # type: ignore[arg-type]
    [feed] = recommender.feeds([query], now=NOW)
    return feed


@pytest.fixture(scope="module")
def found() -> Recommender:
    return engine(popularity=np.arange(len(FILMS)))


@pytest.mark.parametrize("row", [row for row, film in enumerate(FILMS) if film[0] not in ("", "Untitled")])
def test_an_exact_title_comes_first(found: Recommender, row: int) -> None:
    for text in (FILMS[row][0], FILMS[row][0].upper(), f"  {FILMS[row][0]}"):
        feed = ask(found, text.strip())
        assert rows_in(feed)[0] == row
        assert feed.scores[0] > 1
        assert feed.reasons[0].kind is ReasonKind.MATCHES_TITLE


def test_items_of_one_title_all_come_first(found: Recommender) -> None:
    assert set(rows_in(ask(found, "untitled"))[:2]) == {8, 9}


@pytest.mark.parametrize(
    ("typed", "row"),
    [
        ("Duva (1981)", 2),
        ("iva", 2),
        ("klya", 4),
        ("jolya", 4),
        ("N (1931)", 3),
        ("teh godfather", 5),
        ("thegodfather", 5),
        ("god father", 5),
        ("the godfathre", 5),
        ("東京物吾", 6),
        ("amelie", 7),
        ("fabuleux destine", 7),
    ],
)
def test_a_title_with_a_slip_is_found(found: Recommender, typed: str, row: int) -> None:
    assert row in rows_in(ask(found, typed))[:2]


def test_names_and_labels_are_found_and_say_so(found: Recommender) -> None:
    feed = ask(found, "fritz lang")
    assert rows_in(feed)[0] == 3
    assert feed.reasons[0].kind is ReasonKind.MATCHES_QUERY
    assert {0, 1} <= set(rows_in(ask(found, "sci-fi")))


def test_what_is_being_typed_is_found_by_its_beginning(found: Recommender) -> None:
    assert rows_in(ask(found, "godf"))[0] == 5


def test_without_a_model_words_answer_alone_and_the_answer_says_so(found: Recommender) -> None:
    feed = ask(found, "alien")
    assert [(entry.what, entry.why) for entry in feed.degraded] == [("meaning", "no model")]
    assert feed.retrieval_mode == "none"


def test_nothing_fits_and_nothing_stands_in_for_it(found: Recommender) -> None:
    assert rows_in(ask(found, "zzzzqqqq")) == []


def test_a_filter_kinds_language_and_excluded_items_hold(found: Recommender) -> None:
    assert rows_in(ask(found, "alien", filter='"Action" in categories')) == [1]
    assert 0 not in rows_in(ask(found, "alien", exclude=(number_of(0),)))
    assert rows_in(ask(found, "alien", kinds=frozenset({ItemKind.PRODUCT}))) == []
    assert 2 not in rows_in(ask(found, "diva", language="en"))
    with pytest.raises(InvalidCondition):
        ask(found, "alien", filter="nonsense ==")


def test_a_hidden_or_deleted_item_is_gone_with_the_change(found: Recommender) -> None:
    for state in (ItemState.HIDDEN, ItemState.DELETED):
        change = Change(sequence=1, number=number_of(0), state=state, valid_from=0, valid_to=0, first_change=0)
        changed = found.with_changes([change], 1)
        assert 0 not in rows_in(ask(changed, "Alien (1979)"))
    later = engine(states=[ItemState.HIDDEN] + [ItemState.LIVE] * (len(FILMS) - 1))
    assert 0 not in rows_in(ask(later, "Alien (1979)"))


def test_what_was_consumed_or_dismissed_is_found_all_the_same(found: Recommender) -> None:
    from pyroaring import BitMap

    assert rows_in(ask(found, "Alien (1979)", consumed=BitMap([number_of(0)])))[0] == 0


def test_what_suits_a_person_moves_up_among_what_fits_and_never_before_an_exact_title() -> None:
    n = len(FILMS)
    together = np.zeros((n, n))
    together[4, [1, 5, 2]] = [1.0, 0.5, 0.4]
    likes = engine(item_item=together, popularity=np.zeros(n))
    drama = [row for row in rows_in(ask(likes, "drama"))]
    mine = ask(likes, "drama", history=history_of(4))
    assert rows_in(mine).index(5) <= drama.index(5)
    assert rows_in(mine)[0] in (5, 2)
    assert mine.by_history
    assert rows_in(ask(likes, "alien", history=history_of(4)))[0] == 0


@settings(max_examples=150)
@given(st.text(min_size=1, max_size=60))
def test_any_text_is_answered(found: Recommender, text: str) -> None:
    feed = ask(found, text)
    assert len(set(feed.numbers.tolist())) == len(feed.numbers) <= 10
    assert np.all(np.diff(feed.scores) <= 1e-6)
    assert np.allclose(feed.contributions.sum(axis=1), feed.scores)


def test_a_muted_sign_hides_no_other_sign_that_is_shown_in_colours_too() -> None:
    titles = ["\u2600\ufe0f Weather", "\u2764\ufe0f", "I \u2764\ufe0f NY"]
    items = [Item(id=f"s{row}", kind=ItemKind.MEDIA, title=title, text="-") for row, title in enumerate(titles)]
    recommender = Recommender.unpublished(contents_of(items, popularity=np.arange(3)), BuildSettings())
    assert set(rows_in(ask(recommender, "weather", muted=Muted(words=("\u2764\ufe0f",))))) == {0}
    assert rows_in(ask(recommender, "\u2764"))[0] == 1
    assert 1 not in rows_in(ask(recommender, "\u2764", muted=Muted(words=("\u2764\ufe0f",))))
    assert rows_in(ask(recommender, "I \u2764 NY"))[0] == 2
    assert ask(recommender, "I \u2764 NY").scores[0] > 1


@pytest.mark.parametrize(
    "typed",
    ["the matrix", "then", "teh matrix", "thematrix", "god father", "thegodfather", "matrices the", "the go", "godfathre"],
)
def test_new_and_changed_items_are_worth_what_they_are_once_a_build_has_them(typed: str) -> None:
    old = [f"The Film {row}" for row in range(80)] + ["God and Father", "Go West", "An Apple"]
    new = ["Then Matrix", "Matrix", "Godfathers", "Godfather", "Goat", "Father Then"]
    items = [Item(id=f"p{row}", kind=ItemKind.MEDIA, title=title, text="-") for row, title in enumerate([*old, *new])]
    items[3] = replace(items[3], title="Then There Was Apple")
    built = Recommender.unpublished(contents_of(items), BuildSettings())
    earlier = [*items[: len(old)]]
    earlier[3] = replace(items[3], title="The Film 3")
    laid_over = [(number_of(row), ItemState.LIVE, items[row]) for row in [3, *range(len(old), len(items))]]
    delta = Delta.of(laid_over, np.zeros((len(laid_over), 4), dtype=np.float32), dimension=4)
    laid = Recommender.unpublished(contents_of(earlier), BuildSettings()).with_overlay(delta, 1, [])
    once, before = ask(built, typed, size=100), ask(laid, typed, size=100)
    worth, then = (dict(zip(rows_in(feed), feed.scores.tolist(), strict=True)) for feed in (once, before))
    fresh = {3, *range(len(old), len(items))}
    assert fresh & set(worth)
    # All that is left is how rare words are, which are counted by the first of two parts.
    assert {row: then.get(row) for row in fresh & set(worth)} == pytest.approx({row: worth[row] for row in fresh & set(worth)}, abs=0.02)
    assert fresh & set(then) == fresh & set(worth)


MANY = " ".join(f"word{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(MOST_WORDS + 1))


@pytest.mark.parametrize(
    ("typed", "title", "author", "has_all"),
    [
        ("the godfather", "The Godfather (1972)", "", True),
        ("godfather the", "The Godfather (1972)", "", True),
        ("godfather xyzzyx", "The Godfather (1972)", "", False),
        ("godfather coppola", "The Godfather (1972)", "Coppola", False),
        ("thegodfather", "The Godfather Again", "", True),
        ("thexgodfather", "The Godfather Again", "", True),
        ("thegodfather", "The Mother", "Godfather", False),
        ("thegodfather", "Godfather Again", "The", False),
        ("god father again", "Godfather Again", "", True),
        ("teh godfathre", "The Godfather Again", "", True),
        ("again godf", "The Godfather Again", "", True),
        (MANY, f"Again {MANY}", "", False),
        (MANY, MANY, "", True),
        (MANY.rsplit(" ", 1)[0], f"Again {MANY}", "", True),
    ],
)
def test_a_reason_names_the_title_only_where_it_has_all_that_was_typed(typed: str, title: str, author: str, has_all: bool) -> None:
    items = [Item(id="one", kind=ItemKind.MEDIA, title=title, text="-", author=author)]
    recommender = Recommender.unpublished(contents_of(items), BuildSettings())
    feed = ask(recommender, typed)
    assert rows_in(feed) == [0]
    assert feed.reasons[0].kind is (ReasonKind.MATCHES_TITLE if has_all else ReasonKind.MATCHES_QUERY)


def test_rules_that_leave_out_hold_for_searches(found: Recommender) -> None:
    rules = [
        {"name": "no-horror", "do": "exclude", "filter": '"Horror" in categories'},
        {"name": "pinned", "do": "pin", "filter": '"Comedy" in categories', "slot": 1},
    ]
    ruled = Placement.model_validate({**PLACEMENT.model_dump(), "rules": rules})
    [feed] = found.feeds([Query(placement=ruled, size=10, text="alien")], now=NOW)
    assert rows_in(feed)[0] == 1
    assert 0 not in rows_in(feed)
    assert feed.broken == ()


def test_a_query_of_the_greatest_length_is_answered(found: Recommender) -> None:
    assert ask(found, "alien " * 80 + "the godfather").numbers is not None
    assert ask(found, "x" * 500).numbers is not None


def test_a_near_deadline_leaves_out_the_person(found: Recommender) -> None:
    query = replace(Query(placement=PLACEMENT, size=10, text="alien"))
    [feed] = found.feeds([query], now=NOW + timedelta(seconds=1), deadline=0.0)
    assert rows_in(feed)[0] == 0
    assert ("person", "deadline") in [(entry.what, entry.why) for entry in feed.degraded]


def test_a_catalogue_of_nothing_is_searched() -> None:
    empty = Recommender.unpublished(contents_of([]), BuildSettings())
    assert rows_in(ask(empty, "alien")) == []
