"""From held-out people to a blend: when there is one, whether it has a ranker, and what the ranker is taught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import HOME, blend_by, checkerboard, contents_of, engine_of, history_of, some_items
from heldout import held_out, of_both_sides

from indexing.blending.blending import Learnt, _leading, _Lists, _loses_somewhere, blend_of_cuts, blend_of_samples, gather_drawn
from indexing.blending.calibration import platt
from indexing.blending.ranker import train_ranker
from indexing.blending.samples import Samples, gather, joined, with_blend
from recommender.engine import Recommender
from recommender.feeds import Query, SourceName
from recommender.judging import HeldOut
from recommender.placements import Placement
from recommender.profile import Blending, Ranker
from recommender.ranking import FEATURES, MONOTONE
from recommender.times import from_micros

ENGINE = engine_of(checkerboard())
SMALL = Ranker(trees=10, leaves=4, learning_rate=0.1, least_in_leaf=5, penalty=0.0, feature_share=1.0)
SETTINGS = Blending(people=1_000, candidates=40, fewest=5, fewest_for_ranker=10, ranker="always", trees=SMALL)
PEOPLE = of_both_sides(60)


def samples(depth: int = 40) -> Samples:
    return gather(ENGINE, [PEOPLE], HOME, depth)


def learn_blend(engine: Recommender, parts: list[HeldOut], placement: Placement, settings: Blending, *, seed: int) -> Learnt | None:
    return blend_of_cuts([gather_drawn(engine, parts, placement, settings, seed=seed)], settings, seed=seed)


def test_the_ranker_is_taught_the_very_features_that_it_will_be_served() -> None:
    # Popularity has no say, so that it is silent in serving; scores are scaled.
    blend = blend_by(content=0.5, collaborative=0.2, item_item=1.0, graph=0.3, co_occurrence=0.1, transitions=0.2, transfer=0.4)
    blend = replace(blend, scales=np.linspace(0.5, 3, len(SourceName)).astype(np.float32))
    gathered = samples()
    gathered = replace(gathered, strengths=gathered.strengths / blend.scales)
    weights = blend.weights[gathered.buckets]
    blended = np.einsum("qms,qs->qm", gathered.strengths, weights)
    engine = with_blend(ENGINE, blend)
    lists = _Lists.of(gathered, blended, weights > 0)
    for query, taught in enumerate(np.split(lists.features, np.cumsum(lists.sizes)[:-1])):
        asked = Query(HOME, 40, history=PEOPLE.histories[query], consumed=PEOPLE.consumed[query])
        now = from_micros(PEOPLE.cut)
        pool = engine.pool(asked, now=now)
        served = engine.features(pool, np.flatnonzero(pool.added.sum(axis=1) > 0), now=now)
        assert not served[:, FEATURES.index("popular.strength")].any()
        np.testing.assert_allclose(taught, served, rtol=1e-5, atol=1e-6)


def test_gathered_samples_are_left_as_they_were() -> None:
    gathered = samples()
    before = gathered.features.copy()
    blend_of_samples(gathered, SETTINGS, seed=0)
    np.testing.assert_array_equal(gathered.features, before)


def test_with_too_few_people_there_is_no_blend() -> None:
    few = SETTINGS.model_copy(update={"fewest": len(PEOPLE) + 1})
    assert learn_blend(ENGINE, [PEOPLE], HOME, few, seed=0) is None
    assert learn_blend(ENGINE, [PEOPLE, PEOPLE], HOME, few, seed=0) is not None


def test_where_nothing_that_was_proposed_was_taken_up_there_is_no_blend() -> None:
    engine = engine_of(contents_of(some_items(4), item_item=[[0, 1, 0, 0], *np.zeros((3, 4)).tolist()]))
    missed = held_out(*[(history_of(0), [3])] * 10)
    assert learn_blend(engine, [missed], HOME, SETTINGS, seed=0) is None


@pytest.mark.parametrize(("sizes", "people"), [((60, 60), 50), ((10, 60), 50), ((60, 60), 1_000)], ids=["evenly", "one small", "all"])
def test_at_most_so_many_people_of_all_parts_together_are_learnt_on(sizes: tuple[int, ...], people: int) -> None:
    parts = [PEOPLE.chosen(np.arange(size)) for size in sizes]
    learnt = learn_blend(ENGINE, parts, HOME, SETTINGS.model_copy(update={"people": people, "ranker": "never"}), seed=0)
    assert learnt is not None
    assert learnt.queries == min(people, sum(sizes))


@pytest.mark.parametrize("changed", [{"ranker": "never"}, {"fewest_for_ranker": 61}], ids=["not wanted", "too few people"])
def test_without_a_ranker_weights_alone_are_learnt(changed: dict[str, object]) -> None:
    learnt = learn_blend(ENGINE, [PEOPLE], HOME, SETTINGS.model_copy(update=changed), seed=0)
    assert learnt is not None
    assert (learnt.blend.trees, learnt.gain, learnt.importance) == (None, None, {})
    assert (learnt.blend.weights.max(axis=1) == 1).all()


def test_a_ranker_says_what_it_gained_and_by_what() -> None:
    learnt = learn_blend(ENGINE, [PEOPLE], HOME, SETTINGS, seed=0)
    assert learnt is not None
    assert learnt.blend.trees is not None
    assert learnt.blend.calibration[0] > 0
    assert learnt.gain is not None
    assert learnt.gain.low <= learnt.gain.mean <= learnt.gain.high
    assert list(learnt.importance) == list(FEATURES)
    assert sum(learnt.importance.values()) == pytest.approx(1)


def test_probabilities_are_of_people_whom_no_tree_was_grown_on() -> None:
    gathered = samples()
    learnt = blend_of_samples(gathered, SETTINGS, seed=0)
    assert learnt is not None
    assert learnt.blend.trees is not None
    gathered = replace(gathered, strengths=gathered.strengths / learnt.blend.scales)
    weights = learnt.blend.weights[gathered.buckets]
    lists = _Lists.of(gathered, np.einsum("qms,qs->qm", gathered.strengths, weights), weights > 0)
    people = gathered.people
    again = train_ranker(lists.features, lists.hits.astype(np.int32), lists.sizes, SMALL, seed=0, monotone=MONOTONE, people=people)
    assert all(np.array_equal(array, again.trees.arrays()[name]) for name, array in learnt.blend.trees.arrays().items())
    np.testing.assert_array_equal(learnt.blend.calibration, platt(again.scores, lists.hits))
    assert not np.array_equal(learnt.blend.calibration, platt(again.trees.score(lists.features), lists.hits))


def judged_in(*groups: int) -> Samples:
    """So many judged people of each group."""
    count = sum(groups)
    many = joined([samples(5)] * (count // len(PEOPLE) + 1))
    some = many.where(np.arange(len(many)) < count)
    return replace(some, groups=np.repeat(np.arange(len(groups)), groups))


def around(mean: float, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """An even number of gains of this mean, one apart from it on either side."""
    return np.tile([mean - 1.0, mean + 1.0], count // 2)


@pytest.mark.parametrize(
    ("groups", "gains", "loses"),
    [
        ((300,), around(-0.01, 300), False),
        ((300,), around(-0.5, 300), True),
        ((300, 60), np.concatenate([around(0.5, 300), around(-0.01, 60)]), False),
        ((300, 60), np.concatenate([around(0.5, 300), around(-1.5, 60)]), True),
        ((300, 300), np.concatenate([around(0.5, 300), around(-0.01, 300)]), False),
    ],
    ids=["may lose", "loses", "few may lose", "few lose", "many may lose"],
)
def test_a_cut_loses_only_where_it_does_for_certain(groups: tuple[int, ...], gains: np.ndarray, loses: bool) -> None:  # type: ignore[type-arg]
    assert _loses_somewhere(judged_in(*groups), gains, 0) is loses


def test_a_ranker_that_gains_nothing_is_left_out_but_told_of() -> None:
    # Targets are drawn at random within a side, so that nothing orders better than the side itself does.
    learnt = learn_blend(ENGINE, [PEOPLE], HOME, SETTINGS.model_copy(update={"ranker": "auto"}), seed=0)
    assert learnt is not None
    assert learnt.gain is not None
    # A standard error is about a quarter of an interval of 95 %.
    assert (learnt.blend.trees is None) == (learnt.gain.mean <= (learnt.gain.high - learnt.gain.low) / 3.92)


def test_a_ranker_that_gains_is_kept() -> None:
    # Of everybody's side the four oldest items are taken up, which no source but the ranker by age can tell.
    rng = np.random.default_rng(0)
    people = []
    for person in range(150):
        side = np.arange(person % 2, 40, 2)
        people.append((history_of(*rng.choice(side[:-4], 3, replace=False)), side[-2:].tolist()))
    late = held_out(*people)
    engine = engine_of(replace(checkerboard(), first_at=np.arange(40, dtype=np.int64) * -(10**12)))
    learnt = learn_blend(engine, [late], HOME, SETTINGS.model_copy(update={"ranker": "auto"}), seed=0)
    assert learnt is not None
    assert learnt.gain is not None
    assert learnt.gain.low > 0
    assert learnt.blend.trees is not None


def test_the_same_people_and_seed_give_the_same_blend() -> None:
    one, same = (learn_blend(ENGINE, [PEOPLE], HOME, SETTINGS, seed=3) for _ in range(2))
    assert one is not None
    assert same is not None
    np.testing.assert_array_equal(one.blend.weights, same.blend.weights)
    np.testing.assert_array_equal(one.blend.scales, same.blend.scales)
    assert one.blend.trees is not None
    assert same.blend.trees is not None
    for name, array in one.blend.trees.arrays().items():
        np.testing.assert_array_equal(same.blend.trees.arrays()[name], array)


def test_trees_are_grown_on_what_weights_put_first_and_what_ties_with_it() -> None:
    blended = np.array([[3, 1, 2, 2, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=np.float32)
    expected = [[3, 0, 2, 2, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert _leading(blended, 2).tolist() == expected
    assert (_leading(blended, 5) == blended).all()
