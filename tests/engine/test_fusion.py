"""Rank fusion by hand."""

from __future__ import annotations

import numpy as np

from recommender.fusion import contributions, ranks, united
from recommender.sources import NO_OPINION


def rows(*lines: list[int]) -> np.ndarray:
    return np.array(lines, dtype=np.int32)


def test_candidate_lists_unite_to_their_different_rows() -> None:
    first, second = rows([5, 2, -1], [7, -1, -1]), rows([2, 9], [-1, -1])
    assert united([first, second]).tolist() == [[2, 5, 9], [7, -1, -1]]


def test_no_candidates_unite_to_nothing() -> None:
    assert united([np.zeros((2, 0), dtype=np.int32)]).shape == (2, 0)
    assert united([rows([-1, -1], [-1, -1])]).shape == (2, 0)


def test_ranks_fall_with_scores_and_ties_go_by_place() -> None:
    scores = np.array([[0.1, 0.9, NO_OPINION, 0.9], [NO_OPINION] * 4, [np.nan, 1.0, 2.0, NO_OPINION]], dtype=np.float32)
    assert ranks(scores).tolist() == [[3, 1, 0, 2], [0, 0, 0, 0], [0, 2, 1, 0]]


def test_a_source_adds_its_weight_over_constant_and_rank() -> None:
    source_ranks = np.array([[[1, 0], [2, 4]]], dtype=np.int32)
    added = contributions(source_ranks, np.array([[2.0, 0.5]], dtype=np.float32), np.array([60.0], dtype=np.float32))
    np.testing.assert_allclose(added, [[[2 / 61, 0], [2 / 62, 0.5 / 64]]], rtol=1e-6)
