"""A whole fit: the cut that the data's shape asks for, a blend learnt on what the sources had not seen, and all of it at the end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from event_rows import Row, rows_of, table
from handmade import HOME, NOW, assert_same_feed, catalogue_of, engine_of, feed_of, history_of, number_of, some_items, unit

import indexing.fitting as fitting_module
from indexing.fitting import InnerCut, fit, inner_cut, inner_cuts, item_regions
from indexing.learning import learn
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Query, SourceName
from recommender.generation import Contents
from recommender.profile import Blending, BuildSettings, Collaborative, Graph, Ranker, Sequence
from recommender.times import DAY_US
from recommender.vectors import VectorIndex

N = 40
LIKE = EventType.LIKE
CATALOGUE = catalogue_of(some_items(N))
HAS_VECTOR = np.ones(N, dtype=np.bool_)
BLENDING = Blending(
    share=0.2, reveals=(0.5, 0.0), fewest=5, fewest_for_ranker=10, ranker="never", trees=Ranker(trees=5, leaves=4, least_in_leaf=5)
)
SETTINGS = BuildSettings(blending=BLENDING, collaborative=Collaborative(factors=4, regularisation=1.0, alpha=2.0), graph=Graph(factors=8))
"""Settings under which so small a world teaches factors something: shrunk to nothing, their scale would differ from fit to fit."""


def vectors_by_taste() -> VectorIndex:
    sides = np.hstack([np.eye(2)[np.arange(N) % 2], np.zeros((N, 2))])
    return VectorIndex.build(unit(sides + np.random.default_rng(0).normal(scale=0.3, size=(N, 4))), exact_limit=20_000, seed=0)


VECTORS = vectors_by_taste()


@pytest.fixture(autouse=True)
def _small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions as small beside this catalogue as the usual ones are beside a real one."""
    monkeypatch.setattr(fitting_module, "REGION", 5)


def people(count: int, each: int = 10, *, seed: int = 0) -> list[list[int]]:
    """Item numbers that each person took up, in order: all of one parity, all different."""
    rng = np.random.default_rng(seed)
    return [[number_of(2 * int(row) + person % 2) for row in rng.choice(N // 2, each, replace=False)] for person in range(count)]


def in_time(count: int = 30) -> EventTable:
    """Every person's item at place p is taken up on day p, each person a minute later than the one before."""
    rows: list[Row] = []
    for person, items in enumerate(people(count)):
        rows += [(person, item, LIKE, day * DAY_US + 60_000_000 * person) for day, item in enumerate(items)]
    return table(*rows)


def in_sequence(count: int = 30) -> EventTable:
    """The same, the place standing for the time."""
    return table(*[(person, item, LIKE, place) for person, items in enumerate(people(count)) for place, item in enumerate(items)])


def in_no_order(count: int = 60) -> EventTable:
    """The same, all at one time."""
    return table(*[(person, item, LIKE, 0) for person, items in enumerate(people(count)) for item in items])


def cut(events: EventTable, settings: BuildSettings = SETTINGS, *, new_items: bool = False) -> InnerCut:
    made = inner_cut(CATALOGUE, events, settings, new_items=new_items)
    assert made is not None
    return made


def held(made: InnerCut) -> list[dict[int, list[int]]]:
    """What each part asks for, by person."""
    return [{int(p): t.tolist() for p, t in zip(part.people, part.targets, strict=True)} for part in made.parts]


def test_with_times_the_newest_share_is_held_out_once_in_part_revealed_and_once_not() -> None:
    made, bought = cut(in_time()), people(30)
    # Two days of ten are a fifth; of a person's two later events, half are revealed.
    assert sorted(rows_of(made.training)) == sorted((person, item) for person, items in enumerate(bought) for item in items[:8])
    revealed, unrevealed = held(made)
    assert revealed == {person: [items[9]] for person, items in enumerate(bought)}
    assert {p: sorted(t) for p, t in unrevealed.items()} == {person: sorted(items[8:]) for person, items in enumerate(bought)}
    assert [len(history) for history in made.parts[0].histories] == [9] * 30
    assert [len(history) for history in made.parts[1].histories] == [8] * 30
    assert made.parts[0].cut == made.parts[1].cut == 8 * DAY_US


def changed(**blending: object) -> BuildSettings:
    return SETTINGS.model_copy(update={"blending": BLENDING.model_copy(update=blending)})


def pairs(made: InnerCut) -> set[tuple[int, int]]:
    """Who is asked for what, over all parts."""
    return {(person, item) for part in held(made) for person, items in part.items() for item in items}


def test_while_few_people_are_held_out_what_lies_before_them_is_cut_again() -> None:
    cuts = inner_cuts(CATALOGUE, in_time(), SETTINGS, new_items=True)
    assert len(cuts) == BLENDING.cuts == 4
    assert rows_of(cuts[0].training) == rows_of(cut(in_time(), new_items=True).training)
    for later, earlier in pairwise(cuts):
        assert later.before.at.max() < later.parts[0].cut
        assert earlier.parts[0].cut < later.parts[0].cut
        assert pairs(earlier) <= set(rows_of(later.before))
        assert set(rows_of(earlier.training)) < set(rows_of(later.before))


@pytest.mark.parametrize(
    ("blending", "cuts"), [({"enough": 30}, 1), ({"enough": 31}, 2), ({"cuts": 3}, 3), ({"cuts": 1}, 1)], ids=["many", "few", "3", "1"]
)
def test_no_earlier_cut_is_taken_where_people_or_cuts_are_many_enough(blending: dict[str, object], cuts: int) -> None:
    # Thirty people are held out by each cut, twice over.
    assert len(inner_cuts(CATALOGUE, in_time(), changed(**blending), new_items=False)) == cuts


@pytest.mark.parametrize("events", [in_sequence(), in_no_order()], ids=["sequence", "none"])
def test_without_times_there_is_one_cut_which_sees_everybody(events: EventTable) -> None:
    assert len(inner_cuts(CATALOGUE, events, SETTINGS, new_items=True)) == 1


def test_what_lies_before_a_cut_holds_the_new_items_too() -> None:
    made = cut(in_time(), new_items=True)
    assert rows_of(made.before) == rows_of(cut(in_time()).training)
    assert set(rows_of(made.training)) < set(rows_of(made.before))


def test_with_times_some_items_are_new_altogether_and_ranked_among_themselves() -> None:
    made = cut(in_time(), new_items=True)
    revealed, unrevealed, new = made.parts
    assert new.candidates is not None
    [cold] = {tuple(candidates.tolist()) for candidates in new.candidates}
    # A twentieth of the forty items.
    assert len(cold) == 2
    assert not set(cold) & set(made.training.item.tolist())
    for part in (revealed, unrevealed):
        assert not set(cold) & {item for items in part.targets for item in items.tolist()}
    for part in made.parts:
        assert not set(cold) & {item for history in part.histories for item in history["item"].tolist()}
    asked = sorted((int(person), item) for person, items in zip(new.people, new.targets, strict=True) for item in items.tolist())
    assert asked == sorted((person, item) for person, item in rows_of(made.before) if item in cold)


def test_new_items_are_asked_of_no_more_people_than_the_rest() -> None:
    """Three hundred people were there in the first days only, thirty to the end."""
    rows: list[Row] = []
    for person, items in enumerate([*people(30), *people(300, 4)]):
        rows += [(person, item, LIKE, day * DAY_US + 60_000_000 * person) for day, item in enumerate(items)]
    made = cut(table(*rows), changed(share=0.1), new_items=True)
    *known, new = made.parts
    assert new.candidates is not None
    cold = set(new.candidates[0].tolist())
    had = {person for person, item in rows_of(made.before) if item in cold}
    assert len(had) > 30
    assert len(new) == max(len(part) for part in known) == 30
    assert set(new.people.tolist()) < had


def test_of_many_people_a_few_times_as_many_are_held_out_as_are_learnt_from() -> None:
    everybody, some = cut(in_time(300), new_items=True), cut(in_time(300), changed(people=5), new_items=True)
    assert rows_of(some.training) == rows_of(everybody.training)
    for part, whole in zip(some.parts, everybody.parts, strict=True):
        assert 15 < len(part) <= 20 < len(whole)
        of_all = {int(person): place for place, person in enumerate(whole.people)}
        for place, person in enumerate(part.people):
            assert part.targets[place].tolist() == whole.targets[of_all[int(person)]].tolist()
            assert part.histories[place]["item"].tolist() == whole.histories[of_all[int(person)]]["item"].tolist()


def test_with_an_order_alone_each_persons_last_item_is_held_out() -> None:
    made, bought = cut(in_sequence()), people(30)
    assert held(made) == [{person: [items[-1]] for person, items in enumerate(bought)}]
    assert rows_of(made.training) == [(person, item) for person, items in enumerate(bought) for item in items[:-1]]
    assert made.parts[0].moments is None


def test_without_order_half_of_the_people_lose_a_random_share_and_half_whole_regions() -> None:
    events = in_no_order()
    made = cut(events)
    drawn, clustered = held(made)
    assert not set(drawn) & set(clustered)
    assert len(drawn) > 20
    assert all(len(targets) == 2 for targets in drawn.values())
    assert sorted([*rows_of(made.training), *((p, i) for part in held(made) for p, items in part.items() for i in items)]) == sorted(
        rows_of(events)
    )
    regions = item_regions(CATALOGUE, events, SETTINGS)
    kept = dict.fromkeys(clustered, frozenset[int]())
    for person, item in rows_of(made.training):
        if person in kept:
            kept[person] |= {int(regions[item])}
    for person, items in clustered.items():
        assert not {int(regions[item]) for item in items} & kept[person]


def test_without_order_some_items_are_new_altogether_where_something_else_speaks_for_them() -> None:
    events = in_no_order()
    made = cut(events, new_items=True)
    *_, new = made.parts
    assert len(made.parts) == 3
    assert new.candidates is not None
    [cold] = {tuple(candidates.tolist()) for candidates in new.candidates}
    # A twentieth of the forty items.
    assert len(cold) == 2
    assert not set(cold) & set(made.training.item.tolist())
    asked = sorted((int(person), item) for person, items in zip(new.people, new.targets, strict=True) for item in items.tolist())
    assert asked == sorted((person, item) for person, item in rows_of(events) if item in cold)


@pytest.mark.parametrize("events", [in_time(), in_sequence(), in_no_order()], ids=["time", "sequence", "none"])
def test_nothing_that_is_asked_for_reaches_the_inner_fit(events: EventTable) -> None:
    made = cut(events, new_items=True)
    seen = set(rows_of(made.training))
    assert seen < set(rows_of(events))
    for part in held(made):
        assert part
        for person, items in part.items():
            assert not {(person, item) for item in items} & seen


def test_nothing_after_the_cut_reaches_the_inner_fit() -> None:
    events = in_time()
    late = events.at >= 8 * DAY_US
    wild = replace(events, item=np.where(late, events.item[::-1], events.item), at=np.where(late, events.at + 7, events.at))
    ours, theirs = cut(events).training, cut(wild).training
    assert rows_of(ours) == rows_of(theirs)
    assert ours.at.tolist() == theirs.at.tolist()


@pytest.mark.parametrize("make", [in_time, in_sequence, in_no_order], ids=["time", "sequence", "none"])
def test_people_who_do_not_consent_to_training_are_in_no_part(make: object) -> None:
    events: EventTable = make()  # type: ignore[operator]
    unasked = events.person < 10
    consent = np.where(unasked, int(Consent.ALL & ~Consent.TRAIN), int(Consent.ALL)).astype(np.uint8)
    made = cut(replace(events, consent=consent), new_items=True)
    assert made.training.person.min() >= 10
    assert all(part.people.min() >= 10 for part in made.parts)


NOBODY: dict[str, list[Row]] = {
    "no events": [],
    "one event": [(1, number_of(0), LIKE, 5)],
    "dislikes alone": [(person, number_of(person), EventType.DISLIKE, person + 9 * place) for person in range(20) for place in range(2)],
    "one item each, over and over": [(person, number_of(person), LIKE, 0) for person in range(20) for _ in range(2)],
    "one item each, in order": [(person, number_of(person), LIKE, place) for person in range(20) for place in range(2)],
}


@pytest.mark.parametrize("rows", NOBODY.values(), ids=NOBODY)
def test_where_nobody_can_be_held_out_no_blend_is_learnt(rows: list[Row]) -> None:
    assert inner_cut(CATALOGUE, table(*rows), SETTINGS, new_items=True) is None
    fitted = fit(CATALOGUE, VECTORS, HAS_VECTOR, table(*rows), SETTINGS, HOME)
    assert fitted.learnt is None
    assert fitted.contents.blend is None


def test_regions_hold_items_of_the_same_people_and_all_others_apart() -> None:
    rows = [row for row in rows_of(in_no_order()) if row[1] != number_of(7)]
    regions = item_regions(CATALOGUE, table(*[(person, item, LIKE, 0) for person, item in rows]), SETTINGS)
    assert len(regions) == number_of(N - 1) + 1
    assert regions[number_of(7)] == 0
    assert all(regions[number_of(row)] > 0 for row in range(N) if row != 7)


def learnt_arrays(contents: Contents) -> dict[str, bytes]:
    """The bytes of what was learnt from events."""
    matrices = {
        name: getattr(contents, name).matrix().toarray().tobytes() for name in ("item_item", "transitions", "co_occurrence", "transfer")
    }
    return {"factors": contents.factors.tobytes(), "popularity": contents.popularity.tobytes(), **matrices}


@pytest.mark.parametrize("make", [in_time, in_sequence, in_no_order], ids=["time", "sequence", "none"])
def test_the_blend_is_learnt_inside_and_everything_else_on_all_events(make: object) -> None:
    events: EventTable = make()  # type: ignore[operator]
    steps: list[tuple[int, int]] = []
    fitted = fit(CATALOGUE, VECTORS, HAS_VECTOR, events, SETTINGS, HOME, progress=lambda done, total: steps.append((done, total)))
    assert fitted.learnt is not None
    assert fitted.contents.blend is fitted.learnt.blend
    assert fitted.learnt.blend.trees is None
    cuts = inner_cuts(CATALOGUE, events, SETTINGS, new_items=True)
    asked = [sum(len(part) for part in made.parts) for made in cuts]
    assert [len(samples) for samples in fitted.samples] == asked
    assert fitted.learnt.queries == sum(asked)
    assert learnt_arrays(fitted.contents) == learnt_arrays(learn(CATALOGUE, VECTORS, HAS_VECTOR, events, SETTINGS))
    assert steps == [(done, len(cuts) + 2) for done in range(1, len(cuts) + 3)]


def test_what_is_learnt_leads_people_to_their_own_side() -> None:
    contents = fit(CATALOGUE, VECTORS, HAS_VECTOR, in_time(), SETTINGS, HOME).contents
    for parity in (0, 1):
        feed = feed_of(engine_of(contents), Query(HOME, 8, history=history_of(parity, parity + 4), exclude=(number_of(0),)))
        assert np.mean(((feed.numbers.astype(np.int64) - 10) // 3) % 2 == parity) > 0.8


def test_with_too_few_people_the_weights_of_the_placement_go() -> None:
    settings = SETTINGS.model_copy(update={"blending": BLENDING.model_copy(update={"fewest": 1_000})})
    events = in_time()
    fitted = fit(CATALOGUE, VECTORS, HAS_VECTOR, events, settings, HOME)
    assert fitted.learnt is None
    assert fitted.contents.blend is None
    query = Query(HOME, 20, history=history_of(0, 2))
    by_weights = replace(query, placement=HOME.model_copy(update={"blend": "weights"}))
    assert_same_feed(feed_of(engine_of(fitted.contents), query), feed_of(engine_of(fitted.contents), by_weights))


def test_a_ranker_is_trained_and_kept_where_it_is_asked_for() -> None:
    always = SETTINGS.model_copy(update={"blending": BLENDING.model_copy(update={"ranker": "always"})})
    learnt = fit(CATALOGUE, VECTORS, HAS_VECTOR, in_time(), always, HOME).learnt
    assert learnt is not None
    assert learnt.blend.trees is not None
    assert learnt.gain is not None
    assert sum(learnt.importance.values()) == pytest.approx(1)
    assert learnt.blend.calibration[0] > 0


def test_the_same_events_and_settings_give_the_same_blend() -> None:
    one, other = (fit(CATALOGUE, VECTORS, HAS_VECTOR, in_no_order(), SETTINGS, HOME).learnt for _ in range(2))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.blend.weights, other.blend.weights)


def test_an_engine_without_events_serves_all_the_same() -> None:
    fitted = fit(CATALOGUE, VECTORS, HAS_VECTOR, table(), SETTINGS, HOME)
    assert fitted.learnt is None
    [feed] = engine_of(fitted.contents).feeds([Query(HOME, 5)], now=NOW)
    assert len(feed.numbers) == 5


@pytest.mark.parametrize(("fewest", "there"), [(270, True), (271, False)])
def test_a_model_that_the_whole_is_just_large_enough_for_is_blended_too(fewest: int, there: bool) -> None:
    # Thirty people with nine next items each; every part has fewer.
    reading = Sequence(factors=8, passes=1, negatives=10, fewest=fewest)
    settings = SETTINGS.model_copy(update={"sequence": reading, "blending": BLENDING.model_copy(update={"cuts": 1})})
    made = fit(CATALOGUE, VECTORS, HAS_VECTOR, in_time(), settings, HOME)
    assert made.contents.sequence.known.any() == there
    [gathered] = made.samples
    assert gathered.strengths[:, :, SourceName.SEQUENCE - 1].any() == there
