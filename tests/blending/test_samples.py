"""What a blend is learnt from: candidates as the engine sees them, and which of them were taken up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from handmade import HOME, blend_by, checkerboard, contents_of, engine_of, history_of, number_of, some_items
from heldout import held_out

from indexing.blending.samples import Samples, every_source, gather, joined, typical_bests, with_blend
from recommender.feeds import Query, SourceName
from recommender.ranking import FEATURES
from recommender.times import from_micros

ENGINE = engine_of(checkerboard())
FEW, MANY = history_of(0, 2), history_of(*range(1, 25, 2))
PARTS = [held_out((FEW, [4, 6]), (MANY, [25])), held_out((history_of(), [0, 1, 2]))]


def line_of(samples: Samples, line: int) -> np.ndarray:
    """Places of a query's hits."""
    return np.flatnonzero(samples.hits[line])


def test_every_query_stands_with_what_it_took_up_its_history_and_its_cut() -> None:
    samples = gather(ENGINE, PARTS, HOME, 40)
    assert len(samples) == 3
    assert samples.relevant.tolist() == [2, 1, 3]
    assert samples.buckets.tolist() == [1, 3, 0]
    assert samples.groups.tolist() == [0, 0, 1]
    assert samples.people.tolist() == [0, 1, 0]
    assert samples.hits.sum(axis=1).tolist() == [2, 1, 3]
    # Whoever begins knows nothing yet, so that all forty may be shown; others are not shown what they had.
    assert samples.strengths.shape == (3, 40, len(SourceName))
    assert samples.strengths.any(axis=2).sum(axis=1).tolist() == [38, 28, 40]


def test_strengths_are_those_of_the_engine_with_every_source_taking_part() -> None:
    samples = gather(ENGINE, PARTS, HOME, 40)
    engine = with_blend(ENGINE, every_source())
    query = Query(HOME, 1, history=FEW, consumed=PARTS[0].consumed[0])
    pool = engine.pool(query, now=from_micros(PARTS[0].cut))
    np.testing.assert_array_equal(samples.strengths[0, : len(pool.rows)], pool.strengths)
    assert pool.rows[line_of(samples, 0)].tolist() == [4, 6]
    assert (pool.weights == 1).all()


def test_what_no_source_proposes_counts_as_missed() -> None:
    # Nothing was published by the moment of the cut, and only item 1 goes with item 0; the generation has no item 77.
    engine = engine_of(contents_of(some_items(4), item_item=[[0, 1, 0, 0], *np.zeros((3, 4)).tolist()]))
    for missed in (3, 77):
        samples = gather(engine, [held_out((history_of(0), [1, missed]))], HOME, 3)
        assert samples.relevant.tolist() == [2]
        assert samples.hits.tolist() == [[True, False, False]]


def test_only_the_leading_candidates_are_kept() -> None:
    few, every = gather(ENGINE, PARTS, HOME, 8), gather(ENGINE, PARTS, HOME, 40)
    assert few.strengths.shape[1] == few.features.shape[1] == few.hits.shape[1] == 8
    # What each source ranks first is among them; freshness ranks nothing, since nothing was published by the moment of the cut.
    np.testing.assert_array_equal(few.strengths.max(axis=1), every.strengths.max(axis=1))
    assert not every.strengths[:, :, SourceName.FRESH - 1].any()


def test_a_placement_that_goes_by_weights_learns_all_the_same() -> None:
    placement = HOME.model_copy(update={"blend": "weights"})
    np.testing.assert_array_equal(gather(ENGINE, PARTS, placement, 40).strengths, gather(ENGINE, PARTS, HOME, 40).strengths)


def test_choosing_queries_takes_all_that_belongs_to_them() -> None:
    samples = gather(ENGINE, PARTS, HOME, 40)
    chosen = samples.where(np.array([False, True, True]))
    assert len(chosen) == 2
    assert (chosen.relevant.tolist(), chosen.buckets.tolist(), chosen.groups.tolist()) == ([1, 3], [3, 0], [0, 1])
    np.testing.assert_array_equal(chosen.strengths, samples.strengths[1:])
    np.testing.assert_array_equal(chosen.hits, samples.hits[1:])


def test_features_are_those_of_the_engine_but_for_the_blend_to_be_learnt() -> None:
    samples = gather(ENGINE, PARTS, HOME, 40)
    engine, now = with_blend(ENGINE, every_source()), from_micros(PARTS[0].cut)
    pool = engine.pool(Query(HOME, 1, history=FEW, consumed=PARTS[0].consumed[0]), now=now)
    places = np.arange(len(pool.rows))
    served = engine.features(pool, places, now=now)
    columns = [place for place, name in enumerate(FEATURES) if not name.startswith("blend")]
    np.testing.assert_array_equal(samples.features[0, : len(places), columns], served[:, columns].T)


def test_a_scale_is_what_a_source_gives_its_best_candidate_on_average_where_it_has_a_say() -> None:
    samples = gather(ENGINE, PARTS, HOME, 40)
    strengths = np.zeros_like(samples.strengths)
    strengths[0, :2, SourceName.CONTENT - 1] = [0.2, 0.6]
    strengths[1, :2, SourceName.CONTENT - 1] = [0.2, 0.1]
    strengths[2, 3, SourceName.GRAPH - 1] = 7
    strengths[:, 5, SourceName.FRESH - 1] = 0.25
    scales = typical_bests(replace(samples, strengths=strengths))
    expected = np.ones(len(SourceName))
    expected[[SourceName.CONTENT - 1, SourceName.GRAPH - 1]] = (0.6 + 0.2) / 2, 7
    np.testing.assert_allclose(scales, expected, rtol=1e-6)


def test_another_blend_leaves_the_engine_as_it_was() -> None:
    changed = with_blend(ENGINE, blend_by(popular=1.0))
    assert ENGINE.contents.blend is None
    assert changed.contents.blend is not None
    assert changed.contents.catalogue is ENGINE.contents.catalogue
    assert changed.settings == ENGINE.settings
    assert number_of(0) in changed.contents.catalogue.numbers


def test_samples_gathered_one_after_the_other_are_joined_to_those_gathered_at_once() -> None:
    one, other = (gather(ENGINE, [part], HOME, 40) for part in PARTS)
    both, at_once = joined([one, other]), gather(ENGINE, PARTS, HOME, 40)
    for name in ("strengths", "features", "hits", "relevant", "people", "buckets"):
        np.testing.assert_array_equal(getattr(both, name), getattr(at_once, name))
    assert both.groups.tolist() == [0, 0, 0]
