"""The world of two tastes, built by the real builder: what people of either taste, new ones and cold films get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pyroaring import BitMap
from worlds import FILMS, NOW, WORDS, World, film_id, taste_of

from recommender.engine import Recommender
from recommender.events import EventType, Subject
from recommender.feeds import Query, ReasonKind, SourceName
from recommender.generation import Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.people import HISTORY_DTYPE, History
from recommender.placements import Placement
from recommender.store import open_store

HOME = Placement(name="home")


def engine_of(world: World) -> Recommender:
    generations = Generations(world.settings.generations_path)
    return Recommender.of(generations.load(str(generations.current_id())))


@pytest.fixture(scope="module")
def engine(world: World) -> Recommender:
    return engine_of(world)


def shown(engine: Recommender, query: Query) -> list[str]:
    [feed] = engine.feeds([query], now=NOW)
    return [card.item_id for card in engine.cards(feed.numbers)]


def watched(engine: Recommender, *films: int) -> History:
    numbers, _ = engine.numbers_of([film_id(film) for film in films])
    return np.array([(number, EventType.WATCH, 1.0, at) for at, number in enumerate(numbers)], dtype=HISTORY_DTYPE)


@pytest.mark.parametrize("source", [None, SourceName.CONTENT, SourceName.COLLABORATIVE, SourceName.ITEM_ITEM])
@pytest.mark.parametrize("taste", [0, 1])
def test_whoever_watched_films_of_one_taste_is_shown_that_taste(engine: Recommender, taste: int, source: SourceName | None) -> None:
    history = watched(engine, taste + 4, taste + 10)
    sources = None if source is None else frozenset({source})
    films = shown(engine, Query(HOME, 10, history=history, consumed=BitMap(history["item"]), sources=sources))
    wanted = taste_of(film_id(taste))
    assert sum(taste_of(film) == wanted for film in films) >= 9
    assert not {film_id(taste + 4), film_id(taste + 10)} & set(films)


def test_somebody_new_gets_both_tastes_by_popularity(engine: Recommender) -> None:
    films = shown(engine, Query(HOME, 12))
    assert {taste_of(film) for film in films} == {"space", "garden"}


def test_real_people_of_the_store_get_more_of_their_taste(world: World, engine: Recommender) -> None:
    with open_store(world.settings.store_path) as store:
        for person in range(6):
            state = store.read_person(Subject.user(f"person-{person}")).person
            films = shown(engine, Query(HOME, 10, history=state.history, consumed=state.consumed, dismissed=state.dismissed))
            assert sum(int(film.removeprefix("film-")) % 2 == person % 2 for film in films) >= 9
            numbers, _ = engine.numbers_of(films)
            assert not set(numbers.tolist()) & set(state.consumed)


def test_films_that_nobody_watched_are_shown_for_what_they_are_about(engine: Recommender) -> None:
    cold = {film_id(film) for film in range(FILMS - 10, FILMS)}
    query = Query(HOME, 60, history=watched(engine, 4, 10), sources=frozenset({SourceName.CONTENT}))
    films = shown(engine, query)
    space = [film for film in films[:25] if film in cold]
    assert space
    assert {taste_of(film) for film in space} == {"space"}
    for source in (SourceName.COLLABORATIVE, SourceName.ITEM_ITEM, SourceName.POPULAR):
        short = HOME.model_copy(update={"fallback": "none"})
        assert not cold & set(shown(engine, Query(short, 60, history=query.history, sources=frozenset({source}))))


def test_reasons_name_films_that_were_watched(engine: Recommender) -> None:
    history = watched(engine, 4, 10)
    [feed] = engine.feeds([Query(HOME, 10, history=history, consumed=BitMap(history["item"]), reasons=10)], now=NOW)
    personal = [reason for reason in feed.reasons if reason.kind is ReasonKind.BECAUSE_OF_HISTORY]
    assert len(personal) > 5
    assert {reason.event for reason in personal} == {EventType.WATCH}
    assert {number for reason in personal for number in reason.because} <= set(history["item"].tolist())


def test_limits_hold_in_a_real_generation(engine: Recommender) -> None:
    history = watched(engine, 4, 10)
    query = Query(
        HOME, 60, history=history, language="fr", kinds=frozenset({ItemKind.MEDIA}), filter="price >= 20.0 && 'garden' in categories"
    )
    numbers = [int(film.removeprefix("film-")) for film in shown(engine, query)]
    assert sorted(numbers) == [film for film in range(20, FILMS) if film % 10 == 9 and film % 3]


def test_changes_of_the_store_reach_the_engine(fresh_world: Callable[[], World]) -> None:
    world = fresh_world()
    engine = engine_of(world)
    gone, hidden = film_id(0), film_id(1)
    assert {gone, hidden} <= set(shown(engine, Query(HOME, 60)))
    with open_store(world.settings.store_path) as store:
        store.set_state([hidden], ItemState.HIDDEN, now=NOW)
        store.delete_items([gone], now=NOW)
        changes, sequence = store.catalogue_changes(engine.change), store.change_sequence()
    changed = engine.with_changes(changes, sequence)
    assert changed.change == sequence
    assert not {gone, hidden} & set(shown(changed, Query(HOME, 60)))
    assert changed.numbers_of([gone, hidden])[1] == [gone]
    assert {gone, hidden} <= set(shown(engine, Query(HOME, 60)))


def test_a_film_added_today_is_found_after_the_next_build_by_who_likes_its_like(fresh_world: Callable[[], World]) -> None:
    world = fresh_world()
    added = Item("film-100", ItemKind.MEDIA, title=" ".join(WORDS["space"][:4]))
    with open_store(world.settings.store_path) as store:
        store.upsert_items([added], now=NOW)
    assert engine_of(world).numbers_of(["film-100"])[1] == ["film-100"]
    assert world.reindex().activated
    engine = engine_of(world)
    content = frozenset({SourceName.CONTENT})
    lover, other = (
        shown(engine, Query(HOME, FILMS + 1, history=watched(engine, taste, taste + 2, taste + 4), sources=content)).index("film-100")
        for taste in (0, 1)
    )
    assert lover <= FILMS // 2 < other
