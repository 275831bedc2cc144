"""Rank fusion by hand."""

from __future__ import annotations

import numpy as np

from recommender.fusion import contributions, ranks, united
from recommender.sources import NO_OPINION


def rows(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def test_candidate_lists_unite_to_their_different_rows() -> None:
    assert united([rows(5, 2), rows(), rows(2, 9)]).tolist() == [2, 5, 9]


def test_no_candidates_unite_to_nothing() -> None:
    assert united([]).tolist() == united([rows(), rows()]).tolist() == []
    assert united([]).dtype == np.int32


def test_ranks_fall_with_scores_and_ties_go_by_place() -> None:
    assert ranks(np.array([0.1, 0.9, NO_OPINION, 0.9], dtype=np.float32)).tolist() == [3, 1, 0, 2]
    assert ranks(np.full(4, NO_OPINION)).tolist() == [0, 0, 0, 0]


def test_a_source_adds_its_weight_over_constant_and_rank() -> None:
    source_ranks = np.array([[1, 0], [2, 4]], dtype=np.int32)
    added = contributions(source_ranks, np.array([2.0, 0.5], dtype=np.float32), 60.0)
    np.testing.assert_allclose(added, [[2 / 61, 0], [2 / 62, 0.5 / 64]], rtol=1e-6)
