"""Rank fusion by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.fusion import contributions, ordered, reordered, united
from recommender.fusion import ranked as ranked_lines
from recommender.sources import NO_OPINION


def rows(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def test_candidate_lists_unite_to_their_different_rows() -> None:
    assert united([rows(5, 2), rows(), rows(2, 9)]).tolist() == [2, 5, 9]


def test_no_candidates_unite_to_nothing() -> None:
    assert united([]).tolist() == united([rows(), rows()]).tolist() == []
    assert united([]).dtype == np.int32


def scores(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def ranked(values: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    strengths, ranks = ranked_lines(values[None], scores(scale), np.array([1]), 3)
    assert not strengths[:, [0, 2]].any()
    assert not ranks[:, [0, 2]].any()
    return strengths[:, 1], ranks[:, 1]


def test_ranks_fall_with_scores_and_ties_go_by_place() -> None:
    assert ranked(scores(0.1, 0.9, NO_OPINION, 0.9), 1.0)[1].tolist() == [3, 1, 0, 2]
    assert ranked(scores(-2.0, 0.0, -0.5, 1e-30, -1e30), 1.0)[1].tolist() == [4, 2, 3, 1, 5]


def test_a_score_counts_as_a_share_of_what_is_typical() -> None:
    strong, _ = ranked(scores(4, 1, NO_OPINION, 2), 2.0)
    assert strong.tolist() == [2, 0.5, 0, 1]
    assert strong.dtype == np.float32


def test_where_nobody_has_an_opinion_nothing_is_strong_or_ranked() -> None:
    strong, ranks = ranked(np.full(4, NO_OPINION), 3.0)
    assert strong.tolist() == ranks.tolist() == [0, 0, 0, 0]


def test_no_candidates_have_no_strengths_and_no_ranks() -> None:
    strong, ranks = ranked(scores(), 1.0)
    assert len(strong) == len(ranks) == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from([float(NO_OPINION), -1.5, 0.0, 0.25, 0.25000003, 7.0, 3e38]), max_size=30))
def test_ranks_are_those_of_a_stable_sort(values: list[float]) -> None:
    order = [place for place in sorted(range(len(values)), key=lambda place: -values[place]) if values[place] > NO_OPINION]
    found = ranked(scores(*values), 1.0)[1]
    assert [int(found[place]) for place in order] == list(range(1, len(order) + 1))
    assert np.count_nonzero(found) == len(order)


def test_each_source_is_ranked_for_itself_at_its_own_column() -> None:
    strengths, ranks = ranked_lines(np.stack([scores(3, 1), scores(NO_OPINION, 8)]), scores(1, 4), np.array([2, 0]), 3)
    assert ranks.tolist() == [[0, 0, 1], [1, 0, 2]]
    assert strengths.tolist() == [[0, 0, 3], [2, 0, 1]]


def test_candidates_are_ordered_by_what_was_added_and_those_of_nothing_are_not() -> None:
    totals, order = ordered(np.array([[0, 0], [1, 2], [3, 0], [4, 4]], dtype=np.float32))
    assert totals.tolist() == [0, 3, 3, 8]
    assert order.tolist() == [3, 1, 2]


def test_the_judged_ones_change_places_and_the_others_follow_below() -> None:
    totals = scores(1, 4, 2, 8)
    order, chances = reordered(np.array([3, 1, 2, 0]), scores(-1, 5), scores(0.25, 0.75), totals)
    assert order.tolist() == [1, 3, 2, 0]
    assert chances.tolist() == [0.75, 0.25, 0.125, 0.0625]


def test_equally_judged_ones_go_by_place() -> None:
    order, _ = reordered(np.array([3, 1, 2]), scores(7, 7), scores(0.5, 0.5), scores(0, 4, 2, 8))
    assert order.tolist() == [1, 3, 2]


def test_a_source_adds_its_weight_over_constant_and_rank() -> None:
    source_ranks = np.array([[1, 0], [2, 4]], dtype=np.int32)
    added = contributions(source_ranks, np.array([2.0, 0.5], dtype=np.float32), 60.0)
    np.testing.assert_allclose(added, [[2 / 61, 0], [2 / 62, 0.5 / 64]], rtol=1e-6)
