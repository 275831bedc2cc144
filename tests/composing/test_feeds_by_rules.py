"""Feeds by the rules of a placement, from the engine that serves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, checkerboard, engine_of, feed_of, history_of, number_of, rows_in, some_items
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st
from pyroaring import BitMap

from recommender.composing.audience import Audience
from recommender.composing.slate_kernels import ENSURED, EXPLORED, PINNED
from recommender.engine import Recommender
from recommender.feeds import Query, ReasonKind, SourceName
from recommender.items import Item, ItemKind, ItemState
from recommender.people import SEEN_DTYPE
from recommender.placements import Placement
from recommender.segments import Delta
from recommender.times import to_micros

N = 60
CATEGORIES = ("sport", "politics", "culture")


def newsroom(n: int = N) -> Recommender:
    """n items: author r % 5, category r % 3, kind by r % 2, hours since published r."""
    items = [
        replace(
            item,
            kind=ItemKind.ARTICLE if row % 2 else ItemKind.MEDIA,
            author=f"author-{row % 5}",
            categories=(CATEGORIES[row % 3], "all"),
            attributes={"local": row % 7 == 6},
        )
        for row, item in enumerate(some_items(n))
    ]
    return engine_of(checkerboard(n, items))


def laid_over(engine: Recommender, items: Sequence[Item], vectors: np.ndarray | None = None) -> Recommender:
    """The engine with more `items`, of rows N and on, of these `vectors`, shape (m, d), or of random ones."""
    d = engine.content.vectors.dimension
    given = np.random.default_rng(1).normal(size=(len(items), d)) if vectors is None else vectors
    unit = (given / np.linalg.norm(given, axis=1, keepdims=True)).astype(np.float32)
    numbered = [(number_of(engine.contents.catalogue.n + place), ItemState.LIVE, item) for place, item in enumerate(items)]
    return engine.with_overlay(Delta.of(numbered, unit, dimension=d), 1, [])


ENGINE = newsroom()
HISTORY = history_of(0, 2, 4)


def home(*rules: dict[str, object], **more: object) -> Placement:
    """The placement with these rules, named r0, r1 and so on."""
    return Placement.model_validate({"name": "home", "rules": [{"name": f"r{n}", **rule} for n, rule in enumerate(rules)], **more})


def asked(placement: Placement, size: int = 20, **more: object) -> Query:
    fields = {"history": HISTORY, "consumed": BitMap(HISTORY["item"]), "reasons": size, **more}
    return Query(placement, size, **fields)  # type: ignore[arg-type]


def test_what_is_pinned_stands_at_its_slot_and_says_that_it_is_promoted() -> None:
    feed = feed_of(ENGINE, asked(home({"do": "pin", "filter": 'id == "item-33"', "slot": 3})))
    assert rows_in(feed)[2] == 33
    assert feed.marks[2] == PINNED
    assert feed.reasons[2].kind is ReasonKind.PROMOTED
    assert rows_in(feed).count(33) == 1
    others = [row for row in rows_in(feed_of(ENGINE, asked(HOME))) if row != 33]
    assert [row for row in rows_in(feed) if row != 33] == others[:19]


def test_what_may_not_be_shown_is_not_pinned() -> None:
    pin = home({"do": "pin", "filter": 'id == "item-33"', "slot": 1})
    for limits in ({"dismissed": BitMap([number_of(33)])}, {"exclude": (number_of(33),)}, {"filter": 'kind == "media"'}):
        assert 33 not in rows_in(feed_of(ENGINE, asked(pin, **limits)))


def test_a_pin_by_a_condition_takes_the_best_that_it_lets_through() -> None:
    usual = rows_in(feed_of(ENGINE, asked(HOME)))
    best = next(row for row in usual if row % 3 == 1)
    assert rows_in(feed_of(ENGINE, asked(home({"do": "pin", "filter": '"politics" in categories', "slot": 1}))))[0] == best


def test_of_two_pins_to_one_slot_the_first_has_it() -> None:
    pins = [{"do": "pin", "filter": f'id == "item-{row}"', "slot": 2} for row in (33, 35)]
    assert rows_in(feed_of(ENGINE, asked(home(*pins))))[1] == 33


def test_what_is_boosted_rises_and_what_is_buried_comes_last() -> None:
    boosted = rows_in(feed_of(ENGINE, asked(home({"do": "boost", "filter": '"sport" in categories', "factor": 1000.0}), N)))
    sport = [row for row in range(N) if row % 3 == 0 and row not in (0, 2, 4)]
    assert set(boosted[: len(sport)]) == set(sport)
    buried = rows_in(feed_of(ENGINE, asked(home({"do": "bury", "filter": '"sport" in categories'}), N)))
    assert set(buried[-len(sport) :]) == set(sport)
    # Among themselves they keep their order.
    usual = [row for row in rows_in(feed_of(ENGINE, asked(HOME, N))) if row in sport]
    assert [row for row in boosted if row in sport] == usual == [row for row in buried if row in sport]


@pytest.mark.parametrize(
    ("of", "label"), [("author", lambda row: row % 5), ("categories", lambda row: row % 3), ("kind", lambda row: row % 2)]
)
def test_a_limit_of_a_field_holds_for_each_of_its_values(of: str, label) -> None:  # type: ignore[no-untyped-def]
    # All items are of the category "all", which the limit of categories leaves out.
    limit = {"do": "limit", "of": of, "at_most": 2, "within": 4}
    feed = feed_of(ENGINE, asked(home(limit), 30))
    labels = [label(row) for row in rows_in(feed)]
    crowded = [start for start in range(27) if max(labels[start : start + 4].count(each) for each in set(labels)) > 2]
    if of == "categories":
        assert feed.broken == ("r0",)
    else:
        assert crowded == []
        assert feed.broken == ()


def test_so_many_as_a_rule_ensures_are_there_though_no_source_proposes_them() -> None:
    placement = home({"do": "ensure", "filter": "attributes.local", "at_least": 1, "within": 5}, candidates=10)
    feed = feed_of(ENGINE, asked(placement, 20))
    local = [row % 7 == 6 for row in rows_in(feed)]
    assert all(any(local[start : start + 5]) for start in range(16))
    assert ENSURED in feed.marks
    assert feed.broken == ()


def test_floors_of_one_window_are_both_kept() -> None:
    rules = [{"do": "ensure", "filter": f'id in ["item-{row}", "item-{row + 2}", "item-{row + 4}"]', "within": 5} for row in (31, 41)]
    feed = feed_of(ENGINE, asked(home(*rules), 10))
    assert feed.broken == ()
    for first in (31, 41):
        there = [row in (first, first + 2, first + 4) for row in rows_in(feed)]
        assert any(there[:5])
        assert any(there[5:])


def test_a_slate_below_the_window_is_one_window() -> None:
    feed = feed_of(ENGINE, asked(home({"do": "ensure", "filter": 'author == "author-3"', "at_least": 4, "within": 10}), 6))
    assert sum(row % 5 == 3 for row in rows_in(feed)) >= 4
    assert feed.broken == ()
    feed = feed_of(ENGINE, asked(home({"do": "ensure", "filter": 'author == "nobody"', "within": 10}), 6))
    assert feed.broken == ("r0",)


def test_of_pins_that_one_item_fits_the_earlier_makes_do_with_another() -> None:
    both, one = 'id in ["item-53", "item-55"]', 'id == "item-53"'
    for filters in ((both, one), (one, both)):
        pins = [{"do": "pin", "filter": each, "slot": slot} for slot, each in enumerate(filters, start=1)]
        for candidates in (10, 200):
            feed = feed_of(ENGINE, asked(home(*pins, candidates=candidates), 20))
            assert rows_in(feed)[filters.index(one)] == 53
            assert rows_in(feed)[filters.index(both)] == 55
            assert feed.broken == ()


def test_one_condition_pins_as_many_as_there_are_slots_for_it() -> None:
    pins = [{"do": "pin", "filter": 'id in ["item-53", "item-55", "item-57"]', "slot": slot} for slot in (1, 3, 5, 7)]
    feed = feed_of(ENGINE, asked(home(*pins, candidates=10), 20))
    assert {rows_in(feed)[place] for place in (0, 2, 4)} == {53, 55, 57}
    assert feed.broken == ("r3",)


def test_pins_without_a_place_are_told() -> None:
    pins = [{"do": "pin", "filter": 'id == "item-33"', "slot": 2}, {"do": "pin", "filter": 'id == "item-35"', "slot": 2}]
    assert feed_of(ENGINE, asked(home(*pins, {"do": "pin", "filter": 'id == "item-37"', "slot": 30}), 20)).broken == ("r1", "r2")
    assert feed_of(ENGINE, asked(home(pins[0]), 20, exclude=(number_of(33),))).broken == ("r0",)


def test_a_limit_is_kept_by_what_is_fetched_where_the_most_popular_are_all_of_a_kind() -> None:
    count = 200
    authors = ["crowd" if row < 120 else f"author-{row}" for row in range(count)]
    items = [replace(item, author=author) for item, author in zip(some_items(count), authors, strict=True)]
    engine = engine_of(checkerboard(count, items))
    limit = {"do": "limit", "of": "author", "at_most": 2, "within": 10}
    for history in (HISTORY[:0], HISTORY):
        feed = feed_of(engine, asked(home(limit, candidates=30), 40, history=history, consumed=BitMap()))
        crowd = [authors[row] == "crowd" for row in rows_in(feed)]
        assert max(sum(crowd[start : start + 10]) for start in range(31)) == 2
        assert len(crowd) == 40
        assert feed.broken == ()
    # Where the catalogue has no others, it is told.
    assert feed_of(engine, asked(home(limit), 120, filter='author == "crowd"')).broken == ("r0",)


def test_a_rule_that_nothing_can_keep_is_told() -> None:
    feed = feed_of(ENGINE, asked(home({"do": "ensure", "filter": 'author == "nobody"', "at_least": 1, "within": 5})))
    assert feed.broken == ("r0",)
    assert len(feed.numbers) == 20


def test_what_is_required_or_excluded_holds_for_every_answer() -> None:
    rules = ({"do": "require", "filter": '"sport" in categories'}, {"do": "exclude", "filter": 'author == "author-0"'})
    right = {row for row in range(N) if row % 3 == 0 and row % 5}
    for fallback in ("popular", "fresh"):
        placement = home(*rules, fallback=fallback)
        queries = [
            asked(placement, N),
            asked(placement, N, history=HISTORY[:0]),
            asked(placement, N, sources=frozenset({SourceName.POPULAR})),
            asked(placement, N, seeds_are_items=True),
            asked(placement, N, candidates=np.array([number_of(row) for row in range(N)], dtype=np.uint32)),
        ]
        for feed in ENGINE.feeds(queries, now=NOW):
            assert set(rows_in(feed)) <= right
            assert feed.eligible <= len(right)
        eligible = ENGINE.eligible(queries[0], np.array([number_of(row) for row in range(N)], dtype=np.uint32), now=NOW)
        assert set(np.flatnonzero(eligible)) == right - {0, 2, 4}


UNASKED = [
    {"do": "exclude", "filter": "attributes.unheard == true"},
    {"do": "exclude", "filter": 'attributes.local == "yes"'},
    {"do": "require", "filter": "attributes.unheard == true"},
    {"do": "pin", "filter": "attributes.unheard == true", "slot": 1},
    {"do": "boost", "filter": "attributes.unheard == true", "factor": 2.0},
    {"do": "bury", "filter": "attributes.unheard == true"},
    {"do": "limit", "of": "attributes.unheard", "at_most": 1},
    {"do": "ensure", "filter": "attributes.unheard == true", "within": N + 1},
]


@pytest.mark.parametrize("rule", UNASKED, ids=lambda rule: rule["do"])
def test_a_condition_on_what_no_item_has_holds_for_none_and_is_told(rule: dict[str, object]) -> None:
    feed = feed_of(ENGINE, asked(home(rule)))
    assert len(feed.numbers) == (0 if rule["do"] == "require" else 20)
    assert feed.broken == ("r0",)


@pytest.mark.parametrize("rule", UNASKED[1:], ids=lambda rule: rule["do"])
def test_a_condition_on_what_items_of_this_minute_have_alone_holds_for_those(rule: dict[str, object]) -> None:
    heard = {"unheard": "a" if "of" in rule else True}
    rule = {**rule, "filter": "attributes.unheard == true"} if "filter" in rule else rule
    added = replace(some_items(N + 1)[N], attributes=heard)
    engine = laid_over(ENGINE, [added])
    feed = feed_of(engine, asked(home(rule), N + 1, history=HISTORY[:0], consumed=BitMap()))
    shown = N in rows_in(feed)
    assert shown == (rule["do"] != "exclude")
    assert feed.broken == ()
    if rule["do"] in ("require", "pin"):
        assert rows_in(feed)[0] == N


def test_rules_hold_from_one_moment_until_before_another() -> None:
    begin, end = NOW, NOW + timedelta(hours=1)
    pin = home({"do": "pin", "filter": 'id == "item-33"', "slot": 1, "valid_from": begin, "valid_to": end})
    firsts = [
        rows_in(feed_of(ENGINE, asked(pin), now=moment))[0] == 33
        for moment in (begin - timedelta(microseconds=1), begin, end - timedelta(microseconds=1), end)
    ]
    assert firsts == [False, True, True, False]


def test_rules_hold_for_their_audience() -> None:
    pin = home(
        {"do": "pin", "filter": 'id == "item-33"', "slot": 1, "audience": '"vip" in segments && region.startsWith("FR") && events >= 3.0'}
    )
    audience = Audience("user", 3, "fr", "FR-ARA", ("vip", "new"))
    assert rows_in(feed_of(ENGINE, asked(pin, audience=audience)))[0] == 33
    for other in (replace(audience, segments=()), replace(audience, region="DE"), replace(audience, events=2), Audience()):
        assert rows_in(feed_of(ENGINE, asked(pin, audience=other)))[0] != 33


def test_pins_and_quotas_are_for_feeds_alone() -> None:
    rules = home({"do": "pin", "filter": 'id == "item-33"', "slot": 1}, {"do": "limit", "of": "author", "at_most": 1, "within": 3})
    for more in ({"sources": frozenset({SourceName.POPULAR})}, {"seeds_are_items": True}):
        assert rows_in(feed_of(ENGINE, asked(rules, **more))) == rows_in(feed_of(ENGINE, asked(HOME, **more)))


def told_twice() -> Recommender:
    """Of the items 6, 8 and 10 each tells the same, and 20 and 22, too."""
    stories = np.full(N, -1, dtype=np.int32)
    stories[[6, 8, 10]], stories[[20, 22]] = 6, 20
    return engine_of(replace(ENGINE.contents, stories=stories))


def test_of_what_tells_the_same_the_best_alone_is_shown() -> None:
    engine = told_twice()
    usual = rows_in(feed_of(ENGINE, asked(HOME, N)))
    best = [next(row for row in usual if row in story) for story in ((6, 8, 10), (20, 22))]
    wanted = [row for row in usual if row not in (6, 8, 10, 20, 22) or row in best]
    shown = rows_in(feed_of(engine, asked(HOME, N)))
    # Where there is nothing else, the others come behind all that is new.
    assert shown[: len(wanted)] == wanted
    assert sorted(shown) == sorted(usual)
    assert feed_of(engine, asked(HOME, N)).broken == ("near-duplicates",)
    assert feed_of(engine, asked(HOME, 20)).broken == ()
    allowing = home(variety={"near_duplicates": "allow"})
    assert rows_in(feed_of(engine, asked(allowing, N))) == usual


def test_what_was_read_elsewhere_is_not_told_again() -> None:
    engine = told_twice()
    history = history_of(0, 2, 8)
    feed = rows_in(feed_of(engine, asked(HOME, 30, history=history, consumed=BitMap(history["item"]))))
    assert not {6, 8, 10} & set(feed)
    similar = rows_in(feed_of(engine, asked(HOME, 10, history=history_of(20), seeds_are_items=True, consumed=BitMap())))
    assert not {20, 22} & set(similar)


def test_what_was_shown_and_passed_over_gives_way_for_a_while() -> None:
    first = rows_in(feed_of(ENGINE, asked(HOME)))[0]
    placement = home(impressions={"discount": 0.5, "half_life_hours": 1.0})

    def place(count: int, hours: float) -> int:
        at = to_micros(NOW - timedelta(hours=hours))
        seen = np.array([(number_of(first), count, at)], dtype=SEEN_DTYPE)
        return rows_in(feed_of(ENGINE, asked(placement, N, seen=seen))).index(first)

    assert place(0, 0) == 0
    assert 0 < place(1, 0) < place(3, 0)
    assert place(3, 100) == 0


def test_rotation_changes_the_list_but_not_with_the_same_seed() -> None:
    placement = home(variety={"rotation": 1.0})
    assert rows_in(feed_of(ENGINE, asked(placement, seed=1))) == rows_in(feed_of(ENGINE, asked(placement, seed=1)))
    lists = {tuple(rows_in(feed_of(ENGINE, asked(placement, seed=seed)))) for seed in range(5)}
    assert len(lists) == 5
    assert (feed_of(ENGINE, asked(placement, seed=1)).probabilities < 1).any()


def test_each_place_goes_to_what_is_uncertain_by_a_chance_of_its_own() -> None:
    placement = home(exploration={"share": 0.15, "uncertain_below": 0.05, "choice": 3})
    uncertain = {row for row in range(N) if 1 / (1 + row) < 0.05}
    tried = np.zeros((400, 20), dtype=np.bool_)
    for seed in range(len(tried)):
        feed = feed_of(ENGINE, asked(placement, 20, seed=seed))
        tried[seed] = feed.marks == EXPLORED
        assert {rows_in(feed)[place] for place in np.flatnonzero(tried[seed])} <= uncertain
        # Each of three is as likely; what would have stood there in any case is so much likelier.
        chances = feed.probabilities[tried[seed]]
        assert (np.isclose(chances, 0.15 / 3) | (chances > 0.8)).all()
    assert np.abs(tried.mean(axis=0) - 0.15).max() < 4 * np.sqrt(0.15 * 0.85 / len(tried))


def test_chances_are_those_given_what_stands_before() -> None:
    placement = home(exploration={"share": 0.4, "uncertain_below": 0.05, "choice": 2})
    told: dict[tuple[int, ...], float] = {}
    drawn: Counter[tuple[int, ...]] = Counter()
    for seed in range(1_500):
        feed = feed_of(ENGINE, asked(placement, 2, seed=seed))
        rows = rows_in(feed)
        for length in (1, 2):
            drawn[tuple(rows[:length])] += 1
            told.setdefault(tuple(rows[:length]), float(feed.probabilities[length - 1]))
            assert told[tuple(rows[:length])] == pytest.approx(float(feed.probabilities[length - 1]))
    assert len(drawn) > 5
    for rows, count in drawn.items():
        tries_of, chance = (drawn[rows[:1]], told[rows]) if len(rows) == 2 else (1_500, told[rows])
        assert abs(count - tries_of * chance) < 4.5 * np.sqrt(max(tries_of * chance * (1 - chance), 1))


def test_scores_below_the_floor_are_filled_up_with_what_is_popular() -> None:
    scores = feed_of(ENGINE, asked(HOME, N)).scores
    placement = home(score_floor=float(scores[5]))
    feed = feed_of(ENGINE, asked(placement, 20))
    assert rows_in(feed)[:6] == rows_in(feed_of(ENGINE, asked(HOME, N)))[:6]
    rest = rows_in(feed)[6:]
    assert rest == sorted(rest)
    assert len(feed.numbers) == 20


def test_each_kind_may_have_a_half_life_of_its_own() -> None:
    weights = {"blend": "weights", "weights": {"fresh": [1, 1, 1, 1]}}
    usual = feed_of(ENGINE, asked(home(**weights), N))
    articles = feed_of(ENGINE, asked(home(**weights, freshness_half_life_hours_of={"article": 0.5}), N))
    changed = {row for row, before, after in zip(range(N), by_row(usual), by_row(articles), strict=True) if before != after}
    assert changed
    assert all(row % 2 for row in changed)


def copies(of: np.ndarray, count: int) -> np.ndarray:
    """Vectors that are very near to one, each a little further from it."""
    return np.stack([of + 0.02 * (place + 1) * np.array([0, 0, 0, 1.0]) for place in range(count)])


def test_what_fills_a_slate_up_tells_nothing_again_while_there_is_anything_else() -> None:
    story = [6, 8, 10, 12, 14]
    told = np.full(N, -1, dtype=np.int32)
    told[story] = 6
    engine = engine_of(replace(ENGINE.contents, stories=told))
    for placement in (home(candidates=10), home(candidates=10, fallback="fresh")):
        for history in (HISTORY[:0], history_of(8, 1)):
            read = set(engine.catalogue.rows_of(history["item"]).tolist())
            # One of the story; none where one of them was read.
            others = N - 5 - (1 if 1 in read else 0) + (0 if 8 in read else 1)
            query = asked(placement, others, history=history, consumed=BitMap(history["item"]))
            rows = rows_in(feed_of(engine, query))
            assert len(rows) == others
            assert len(set(rows) & set(story)) == (0 if 8 in read else 1)
            full = feed_of(engine, asked(placement, N, history=history, consumed=BitMap(history["item"])))
            assert len(full.numbers) == N - len(read)
            # None of the first places is a copy's.
            assert len(set(rows_in(full)[:others]) & set(story)) == (0 if 8 in read else 1)


@pytest.mark.parametrize("met", [(), (N,), (N + 1,), (N + 1, N)])
def test_new_copies_tell_the_story_of_the_first_whatever_was_asked_before(met: tuple[int, ...]) -> None:
    first = 6
    vector = ENGINE.content.gather(np.array([first], dtype=np.int32))[0]
    title = ENGINE.cards(np.array([number_of(first)], dtype=np.uint32))[0].title
    titles = [replace(item, title=title, author=f"agency-{item.id}") for item in some_items(N + 3)[N:]]
    engine = laid_over(ENGINE, titles, copies(vector, 3)[::-1])
    likeness = engine.content.gather(np.array([first, N, N + 1, N + 2], dtype=np.int32))
    assert (likeness @ likeness.T).min() > engine.settings.near_duplicates.likeness
    for row in met:
        engine.stories.of(np.array([row], dtype=np.int32))
    assert set(engine.stories.of(np.array([N + 2, N + 1, N, first], dtype=np.int32)).tolist()) == {first}
    rows = rows_in(feed_of(engine, asked(home(), 30, history=HISTORY[:0], consumed=BitMap())))
    assert len({N, N + 1, N + 2, first} & set(rows)) == 1
    # Who had it from one agency is not told by another, whichever was the first.
    for read in (first, N, N + 2):
        history = history_of(read, 1)
        rows = rows_in(feed_of(engine, asked(home(), 30, history=history, consumed=BitMap(history["item"]))))
        assert not {N, N + 1, N + 2, first} & set(rows)


def by_row(feed) -> list[float]:  # type: ignore[no-untyped-def]
    scores = dict(zip(rows_in(feed), feed.scores.tolist(), strict=True))
    return [scores.get(row, 0.0) for row in range(N)]


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    conditions = st.sampled_from(
        (
            '"sport" in categories',
            'kind == "article"',
            "attributes.local",
            'author == "author-1"',
            'id == "item-40"',
            "attributes.none == 1.0",
        )
    )
    rules: list[dict[str, object]] = []
    for kind in draw(st.lists(st.sampled_from(("pin", "boost", "bury", "limit", "ensure", "require", "exclude")), max_size=5)):
        rule: dict[str, object] = {"do": kind, "filter": draw(conditions)}
        if kind == "pin":
            rule["slot"] = draw(st.integers(1, 12))
        elif kind == "boost":
            rule["factor"] = draw(st.floats(1.5, 100))
        elif kind == "limit":
            rule |= {
                "of": draw(st.sampled_from(("author", "categories", ""))),
                "at_most": draw(st.integers(1, 3)),
                "within": draw(st.integers(4, 9)),
            }
        elif kind == "ensure":
            rule |= {"at_least": draw(st.integers(1, 2)), "within": draw(st.integers(2, 8))}
        rules.append(rule)
    variety = {"strength": draw(st.sampled_from((0.0, 0.5))), "rotation": draw(st.sampled_from((0.0, 0.5)))}
    return home(*rules, variety=variety, exploration={"share": draw(st.sampled_from((0.0, 0.2))), "uncertain_below": 0.05})


@given(placements(), st.sets(st.integers(0, N - 1), max_size=30), st.integers(1, N), st.integers(0, 2**64 - 1))
@tries(max_examples=60)
def test_no_item_twice_no_ineligible_one_and_no_place_empty_whatever_the_rules(
    placement: Placement, consumed: set[int], size: int, seed: int
) -> None:
    engine = told_twice()
    query = asked(placement, size, consumed=BitMap(number_of(row) for row in consumed), seed=seed)
    feed = feed_of(engine, query)
    allowed = engine.eligible(query, np.array([number_of(row) for row in range(N)], dtype=np.uint32), now=NOW)
    assert len(set(rows_in(feed))) == len(feed.numbers)
    assert set(rows_in(feed)) <= set(np.flatnonzero(allowed))
    assert not set(rows_in(feed)) & consumed
    # What tells again what was read comes where nothing else is left.
    assert len(feed.numbers) == min(size, int(allowed.sum()))
    assert feed.eligible == allowed.sum()
    assert ((feed.probabilities > 0) & (feed.probabilities <= 1)).all()
