"""Reasons come from what moved the score: without the named cause the item would have scored less."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from handmade import HOME, NOW, PERSONAL, checkerboard, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items
from worlds import World

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Feed, Query, Reason, ReasonKind, SourceName
from recommender.generation import Generations
from recommender.people import HISTORY_DTYPE, History
from recommender.profile import BuildSettings, Content
from recommender.reasons import reason_text
from recommender.sources import NO_OPINION, Past

ENGINE = engine_of(checkerboard())
SHORT = HOME.model_copy(update={"fallback": "none"})


def without(past: Past, place: int) -> Past:
    """A history less one of its events; the others keep their ages, so that nothing else changes."""
    kept = np.arange(len(past)) != place
    return replace(past, **{name: getattr(past, name)[kept] for name in ("rows", "weights", "age", "numbers", "types")})


def unlike_engine() -> Recommender:
    """Four hundred items that each source sees in ways of its own, with one interest a person.

    With several, what remains of a history may stand for the other interest the more.
    """
    rng = np.random.default_rng(0)
    themes = rng.normal(size=(10, 32))[np.arange(400) % 10]
    contents = contents_of(
        some_items(400),
        vectors=themes + rng.normal(scale=0.8, size=(400, 32)),
        factors=rng.normal(size=(400, 8)),
        item_item=rng.normal(size=(400, 400)),
        transitions=rng.normal(size=(400, 400)),
        co_occurrence=rng.normal(size=(400, 400)),
        transfer=rng.normal(size=(400, 400)),
        graph=rng.normal(size=(400, 8)),
        sequence=0.5 * rng.normal(size=(400, 8)),
    )
    return engine_of(contents, BuildSettings(content=Content(interests=1)))


def assert_causes_count(engine: Recommender, history: History, source: SourceName) -> int:
    """Check the named causes of the ten best items of one source; returns how many were checked."""
    scorer_of = engine.sources[source - 1].prepare
    past = Past.of(Query(HOME, 1, history=history), engine.contents.catalogue, engine.settings)
    every = np.arange(engine.contents.catalogue.n, dtype=np.int32)
    scorer = scorer_of(past, 0)
    scores = scorer.score(every)
    best = np.argsort(-scores)[:10].astype(np.int32)
    best = best[scores[best] > NO_OPINION]
    for row, places, count, _ in zip(best, *scorer.causes(best), strict=True):
        assert count
        [less] = scorer_of(without(past, places[0]), 0).score(np.array([row], dtype=np.int32))
        assert less < scores[row]
    return len(best)


@pytest.mark.parametrize("source", PERSONAL)
@pytest.mark.parametrize("length", [2, 5, 15])
def test_without_its_cause_an_item_scores_less(source: SourceName, length: int) -> None:
    rng = np.random.default_rng(length)
    for engine, n in ((ENGINE, 40), (unlike_engine(), 400)):
        checked = sum(assert_causes_count(engine, history_of(*rng.choice(n, length, replace=False)), source) for _ in range(15))
        assert checked > 100


# The world has too few events for a transformer.
@pytest.mark.parametrize("source", sorted(set(PERSONAL) - {SourceName.SEQUENCE}))
def test_without_its_cause_a_film_of_the_world_scores_less(world: World, source: SourceName) -> None:
    generations = Generations(world.settings.generations_path)
    engine = Recommender.of(generations.load(world.outcome.manifest.id))
    numbers, rng = engine.contents.catalogue.numbers, np.random.default_rng(1)
    checked = 0
    for _ in range(20):
        history = np.zeros(6, dtype=HISTORY_DTYPE)
        history["item"], history["type"], history["value"] = rng.choice(numbers[:50], 6, replace=False), EventType.WATCH, 1
        checked += assert_causes_count(engine, history, source)
    assert checked > 100


def reasons_by_row(feed: Feed) -> dict[int, Reason]:
    return dict(zip(rows_in(feed), feed.reasons, strict=False))


def test_the_reason_names_the_source_that_added_most() -> None:
    feed = feed_of(ENGINE, Query(HOME, 30, history=history_of(0, 2, 5), reasons=30))
    for at, reason in enumerate(feed.reasons):
        assert reason.source == feed.sources[at] == 1 + feed.contributions[at].argmax()
        assert 0 <= reason.share <= 1
        assert bool(reason.because) == (reason.kind is ReasonKind.BECAUSE_OF_HISTORY)
        assert set(reason.because) <= {number_of(0), number_of(2), number_of(5)}
    assert ReasonKind.BECAUSE_OF_HISTORY in {reason.kind for reason in feed.reasons}


def test_as_many_reasons_as_asked_for_and_no_more_than_items() -> None:
    for asked in (0, 1, 7, 100):
        feed = feed_of(ENGINE, Query(HOME, 9, history=history_of(1), reasons=asked))
        assert len(feed.reasons) == min(asked, 9)


@pytest.mark.parametrize("event", [EventType.WATCH, EventType.PURCHASE, EventType.VIEW])
def test_the_event_is_the_one_by_which_the_cause_came_into_the_history(event: EventType) -> None:
    history = np.concatenate([history_of(0, type=EventType.CLICK), history_of(2, type=event)])
    feed = feed_of(ENGINE, Query(SHORT, 5, history=history, sources=frozenset({SourceName.ITEM_ITEM}), reasons=5))
    assert {reason.event for reason in feed.reasons if reason.because[0] == number_of(2)} <= {event}
    alone = feed_of(ENGINE, Query(SHORT, 5, history=history[1:], sources=frozenset({SourceName.ITEM_ITEM}), reasons=5))
    assert [reason.event for reason in alone.reasons] == [event] * 5


def test_an_event_that_says_nothing_of_taste_is_never_the_one_named() -> None:
    history = np.concatenate([history_of(2, type=EventType.WATCH), history_of(2, type=EventType.CUSTOM)])
    feed = feed_of(ENGINE, Query(SHORT, 3, history=history, sources=frozenset({SourceName.CONTENT}), reasons=3))
    assert [reason.event for reason in feed.reasons] == [EventType.WATCH] * 3


def test_what_was_disliked_is_never_a_reason() -> None:
    rng = np.random.default_rng(3)
    engine = engine_of(
        contents_of(
            some_items(30),
            item_item=rng.normal(size=(30, 30)),
            factors=rng.normal(size=(30, 4)),
            vectors=rng.normal(size=(30, 4)),
            transitions=rng.normal(size=(30, 30)),
            co_occurrence=rng.normal(size=(30, 30)),
            transfer=rng.normal(size=(30, 30)),
            graph=rng.normal(size=(30, 4)),
            sequence=rng.normal(size=(30, 4)),
        )
    )
    history = np.concatenate([history_of(1, 2, 3, type=EventType.DISLIKE), history_of(4, 5)])
    for source in PERSONAL:
        feed = feed_of(engine, Query(SHORT, 20, history=history, sources=frozenset({source}), reasons=20))
        named = {number for reason in feed.reasons for number in reason.because}
        assert named
        assert named <= {number_of(4), number_of(5)}


def test_items_like_given_ones_name_the_given_one() -> None:
    feed = feed_of(ENGINE, Query(SHORT, 5, history=history_of(4), sources=frozenset(PERSONAL), seeds_are_items=True, reasons=5))
    for reason in feed.reasons:
        assert (reason.kind, reason.because, reason.event) == (ReasonKind.SIMILAR_TO_SEED, (number_of(4),), 0)


def test_impersonal_items_say_popular_or_new() -> None:
    items = [replace(item, published_at=NOW - timedelta(days=400), categories=("space",)) for item in some_items(6)]
    items[5] = replace(items[5], published_at=NOW)
    weights = HOME.weights.model_copy(update={"fresh": (9.0,) * 4})
    engine = engine_of(contents_of(items, popularity=[5, 4, 3, 2, 1, 0]))
    query = Query(HOME.model_copy(update={"weights": weights}), 6, reasons=6)
    by_row = reasons_by_row(feed_of(engine, query))
    assert by_row[5] == Reason(ReasonKind.FRESH, SourceName.FRESH)
    assert by_row[0] == Reason(ReasonKind.POPULAR, SourceName.POPULAR)
    assert reasons_by_row(feed_of(engine, replace(query, category="space")))[0].category == "space"


def test_a_fallback_item_is_called_new_only_when_it_has_a_date() -> None:
    items = some_items(4)
    items[1] = replace(items[1], published_at=None)
    feed = feed_of(engine_of(contents_of(items)), Query(HOME.model_copy(update={"fallback": "fresh"}), 4, sources=frozenset(), reasons=4))
    assert [reason.kind for reason in feed.reasons] == [ReasonKind.FRESH] * 3 + [ReasonKind.FILL]


def test_a_later_page_gets_the_reasons_that_the_first_would_have_given() -> None:
    query = Query(HOME, 40, history=history_of(0, 2, 5, 9), reasons=40)
    feed = feed_of(ENGINE, query)
    later = ENGINE.reasons(query, feed.numbers[10:], feed.sources[10:], now=NOW)
    assert later == feed.reasons[10:]


def test_reasons_survive_a_history_that_changed_between_pages() -> None:
    query = Query(HOME, 40, history=history_of(0, 2, 5, 9))
    feed = feed_of(ENGINE, query)
    reasons = ENGINE.reasons(replace(query, history=history_of()), feed.numbers, feed.sources, now=NOW)
    assert {reason.kind for reason in reasons} <= {ReasonKind.POPULAR, ReasonKind.FRESH}


def test_an_item_that_the_generation_lacks_gets_no_cause_of_another_item() -> None:
    unknown = np.array([number_of(0), 999_999], dtype=np.uint32)
    sources = np.array([SourceName.CONTENT, SourceName.CONTENT], dtype=np.uint8)
    known, lost = ENGINE.reasons(Query(HOME, 2, history=history_of(2, 4)), unknown, sources, now=NOW)
    assert known.kind is ReasonKind.BECAUSE_OF_HISTORY
    assert lost.kind is ReasonKind.FILL


TITLES = {1: "Heat (1995)", 2: ""}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason(ReasonKind.FRESH, SourceName.FRESH), "New"),
        (Reason(ReasonKind.FILL, SourceName.POPULAR), "More to explore"),
        (Reason(ReasonKind.POPULAR, SourceName.POPULAR), "Popular now"),
        (Reason(ReasonKind.POPULAR, SourceName.POPULAR, category="sport"), "Popular in sport"),
        (Reason(ReasonKind.SIMILAR_TO_SEED, SourceName.CONTENT, (1, 3)), "Similar to Heat (1995)"),
        (Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (1,), event=EventType.WATCH), "Because you watched Heat (1995)"),
        (Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (1,), event=EventType.CART), "Because you put in your cart Heat (1995)"),
        (Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (1,), event=EventType.VIEW), "Because you looked at Heat (1995)"),
        (Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (2,), event=EventType.READ), "Because of your history"),
        (Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (9,), event=EventType.READ), "Because of your history"),
        (Reason(ReasonKind.SIMILAR_TO_SEED, SourceName.CONTENT, (9,)), "Similar"),
    ],
)
def test_reasons_read_as_sentences(reason: Reason, text: str) -> None:
    assert reason_text(reason, TITLES) == text


def test_every_kind_of_event_reads_as_a_sentence() -> None:
    for event in EventType:
        reason = Reason(ReasonKind.BECAUSE_OF_HISTORY, SourceName.CONTENT, (1,), event=event)
        assert reason_text(reason, TITLES).startswith("Because ")
