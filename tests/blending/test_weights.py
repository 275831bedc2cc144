"""Weights by climbing: in toy worlds whose best blend is known."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.blending.samples import Samples
from indexing.blending.weights import (
    DEPTH,
    ENOUGH,
    best_singles,
    by_group,
    climbed,
    held_out_people,
    learn_weights,
    ndcg_of,
    standing,
    thrifty,
)
from recommender.feeds import SourceName

S = len(SourceName)
M = 30
CONTENT, ITEM_ITEM, POPULAR, GRAPH = (
    int(name) - 1 for name in (SourceName.CONTENT, SourceName.ITEM_ITEM, SourceName.POPULAR, SourceName.GRAPH)
)


def ranked(rank: int, hit: int, size: int = M) -> np.ndarray:
    """Strengths of `size` candidates such that the one at `hit` stands at `rank`, 1-based."""
    order = [place for place in range(size) if place != hit]
    order.insert(rank - 1, hit)
    strengths = np.zeros(size, dtype=np.float32)
    strengths[order] = np.linspace(1, 0.1, size)
    return strengths


def world(*people: tuple[dict[int, int], int, int], seed: int = 0) -> Samples:
    """One query each for people given by (rank of the hit by source, bucket, group); what is not named says nothing."""
    rng = np.random.default_rng(seed)
    strengths, hits = np.zeros((len(people), M, S), dtype=np.float32), np.zeros((len(people), M), dtype=np.bool_)
    for query, (placed, _, _) in enumerate(people):
        hit = int(rng.integers(M))
        hits[query, hit] = True
        for source, rank in placed.items():
            strengths[query, :, source] = ranked(rank, hit)
    buckets, groups = (np.array([person[at] for person in people], dtype=np.int64) for at in (1, 2))
    return samples_of(strengths, hits, buckets=buckets, groups=groups)


def samples_of(strengths: np.ndarray, hits: np.ndarray, **given: np.ndarray) -> Samples:
    """Samples without features; of what is not given, one relevant item each, of one bucket and one cut, each by another person."""
    q, m, _ = strengths.shape
    usual = {"relevant": np.ones(q, np.int64), "people": np.arange(q), "buckets": np.zeros(q, np.int64), "groups": np.zeros(q, np.int64)}
    return Samples(strengths=strengths, features=np.zeros((q, m, 0), dtype=np.float32), hits=hits, **{**usual, **given})


def only(source: int) -> np.ndarray:
    return np.eye(S, dtype=np.float32)[source]


def gain(rank: int) -> float:
    """NDCG of one relevant item at a rank."""
    return float(1 / np.log2(rank + 1))


def test_ndcg_is_the_discounted_gain_over_the_best_possible() -> None:
    hits = np.array([[True, False, True, False], [False, False, True, False], [True, False, False, False]])
    samples = samples_of(np.zeros((3, 4, S), dtype=np.float32), hits, relevant=np.array([2, 3, 30]))
    scores = np.array([[1, 3, 2, 0], [5, 5, 5, 0], [0, 1, 1, 1]], dtype=np.float32)
    # Ranks 2 and 3 of two items; rank 3 by place of three items; no score above 0, so no rank.
    expected = [(gain(2) + gain(3)) / (gain(1) + gain(2)), gain(3) / (gain(1) + gain(2) + gain(3)), 0]
    np.testing.assert_allclose(ndcg_of(samples, scores), expected)


def test_ndcg_ends_at_its_depth() -> None:
    samples = world(({CONTENT: DEPTH}, 0, 0), ({CONTENT: DEPTH + 1}, 0, 0))
    np.testing.assert_allclose(ndcg_of(samples, samples.strengths @ only(CONTENT)), [gain(DEPTH), 0])


def test_without_candidates_ndcg_is_nought() -> None:
    samples = samples_of(np.zeros((2, 0, S), dtype=np.float32), np.zeros((2, 0), dtype=np.bool_))
    assert ndcg_of(samples, np.zeros((2, 0), dtype=np.float32)).tolist() == [0, 0]


def test_groups_count_by_their_own_means_and_empty_ones_not_at_all() -> None:
    samples = world(({CONTENT: 1}, 0, 0), ({CONTENT: 2}, 0, 0), ({CONTENT: 4}, 0, 2))
    values = by_group(samples, ndcg_of(samples, samples.strengths @ only(CONTENT)))
    np.testing.assert_allclose(values, [(gain(1) + gain(2)) / 2, gain(4)])


def test_the_best_single_source_of_each_group_is_the_reference() -> None:
    samples = world(({CONTENT: 1, GRAPH: 3}, 0, 0), ({CONTENT: 9, GRAPH: 2}, 0, 1))
    np.testing.assert_allclose(best_singles(samples), [gain(1), gain(2)])


def test_the_worst_group_counts_as_much_as_the_mean() -> None:
    samples = world(({CONTENT: 1, GRAPH: 2}, 0, 0), ({CONTENT: 15, GRAPH: 3}, 0, 1))
    reference = best_singles(samples)
    one_sided, even = (standing(samples, samples.strengths @ only(source), reference) for source in (CONTENT, GRAPH))
    assert one_sided == pytest.approx(np.log(gain(15) / gain(3)) / 2 + np.log(gain(15) / gain(3)))
    assert even == pytest.approx(np.log(gain(2)) / 2 + np.log(gain(2)))
    # By the mean of NDCG alone, content would be the better one.
    assert even > one_sided
    assert gain(1) + gain(15) > gain(2) + gain(3)


def test_climbing_finds_the_source_that_is_right() -> None:
    rng = np.random.default_rng(1)
    people = [({ITEM_ITEM: 1, POPULAR: int(rng.integers(5, M)), GRAPH: int(rng.integers(5, M))}, 1, 0) for _ in range(80)]
    samples = world(*people)
    weights = learn_weights(samples)
    assert weights.shape == (4, S)
    assert weights.dtype == np.float32
    assert (weights >= 0).all()
    assert (weights.max(axis=1) == 1).all()
    assert (weights.argmax(axis=1) == ITEM_ITEM).all()
    assert ndcg_of(samples, samples.strengths @ weights[1]).min() == 1
    silent = [place for place in range(S) if place not in (ITEM_ITEM, POPULAR, GRAPH)]
    assert not weights[:, silent].any()


def test_climbing_blends_sources_that_are_right_together() -> None:
    # Each source stands behind the hit and a decoy of its own, so that only the sum leads to the hit.
    rng = np.random.default_rng(2)
    q = 60
    strengths, hits = np.zeros((q, M, S), dtype=np.float32), np.zeros((q, M), dtype=np.bool_)
    for query in range(q):
        hit, one, other = rng.choice(M, 3, replace=False)
        hits[query, hit] = True
        strengths[query, [hit, one], CONTENT] = [0.8, 1]
        strengths[query, [hit, other], GRAPH] = [0.8, 1]
    samples = samples_of(strengths, hits)
    np.testing.assert_allclose(best_singles(samples), [gain(2)])
    weights = climbed(samples, only(CONTENT))
    assert weights[CONTENT] > 0
    assert weights[GRAPH] > 0
    assert ndcg_of(samples, samples.strengths @ weights).tolist() == [1] * q


def test_a_small_group_is_served_beside_a_large_one() -> None:
    people = [({CONTENT: 1, GRAPH: 2}, 1, 0) for _ in range(90)] + [({CONTENT: 15, GRAPH: 3}, 1, 1) for _ in range(6)]
    samples = world(*people)
    weights = climbed(samples, only(CONTENT))
    reference = best_singles(samples)
    assert standing(samples, samples.strengths @ weights, reference) >= standing(samples, samples.strengths @ only(GRAPH), reference)
    large, small = by_group(samples, ndcg_of(samples, samples.strengths @ weights))
    assert small > gain(15)
    assert large >= gain(2)


@pytest.mark.parametrize("people", [ENOUGH - 1, ENOUGH])
def test_a_bucket_has_weights_of_its_own_only_with_enough_people(people: int) -> None:
    most = [({CONTENT: 1, GRAPH: 12}, 1, 0) for _ in range(2 * ENOUGH)]
    few = [({CONTENT: 12, GRAPH: 1}, 3, 0) for _ in range(people)]
    weights = learn_weights(world(*most, *few))
    assert (weights[[0, 2]] == weights[0]).all()
    own = not np.array_equal(weights[3], weights[0])
    assert own == (people == ENOUGH)
    if own:
        assert weights[3].argmax() == GRAPH


def test_the_same_samples_give_the_same_weights() -> None:
    rng = np.random.default_rng(5)
    samples = world(*[({CONTENT: int(rng.integers(1, 9)), GRAPH: int(rng.integers(1, 9))}, int(rng.integers(4)), 0) for _ in range(50)])
    np.testing.assert_array_equal(learn_weights(samples), learn_weights(samples))


def test_people_are_drawn_with_all_their_queries() -> None:
    people = np.repeat(np.arange(50) * 7, 3)
    held_out = held_out_people(people, 0.3, seed=0)
    assert held_out.sum() == round(0.3 * 50) * 3
    assert (held_out.reshape(50, 3) == held_out.reshape(50, 3)[:, :1]).all()
    assert not (held_out == held_out_people(people, 0.3, seed=1)).all()
    assert not held_out_people(people, 0, seed=0).any()


def test_a_small_weight_that_serves_nobody_is_done_without_and_one_that_does_stays() -> None:
    # Content orders everybody's hit first; of two sources of little weight, graph finds what content does not know of, popular nothing.
    people = [({CONTENT: 1, POPULAR: 9}, 0, 0)] * 30 + [({GRAPH: 1, POPULAR: 9}, 0, 0)] * 30
    weights = np.zeros(S, dtype=np.float32)
    weights[[CONTENT, POPULAR, GRAPH]] = 1, 0.06, 0.1
    kept = thrifty(world(*people), weights)
    assert kept[[CONTENT, GRAPH]].tolist() == weights[[CONTENT, GRAPH]].tolist()
    assert kept[POPULAR] == 0


def test_large_weights_are_never_done_without() -> None:
    weights = np.zeros(S, dtype=np.float32)
    weights[[CONTENT, POPULAR]] = 1, 0.5
    assert thrifty(world(*[({CONTENT: 1, POPULAR: 30}, 0, 0)] * 40), weights).tolist() == weights.tolist()


def test_where_nothing_is_hit_weights_stay() -> None:
    samples = samples_of(np.ones((3, 4, S), dtype=np.float32), np.zeros((3, 4), dtype=np.bool_))
    weights = np.full(S, 0.1, dtype=np.float32)
    assert thrifty(samples, weights).tolist() == weights.tolist()
