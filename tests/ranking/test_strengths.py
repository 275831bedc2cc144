"""Strengths: each source's scores over what it typically gives, the same for every query."""

from __future__ import annotations

import numpy as np

from recommender.ranking import strengths
from recommender.sources import NO_OPINION

SILENT = float(NO_OPINION)


def test_a_score_counts_as_a_share_of_what_is_typical() -> None:
    scores = np.array([[4, 1, SILENT, 2], [0.5, SILENT, 0.25, SILENT]], dtype=np.float32)
    strong = strengths(scores, 2.0)
    assert strong.tolist() == [[2, 0.5, 0, 1], [0.25, 0, 0.125, 0]]
    assert strong.dtype == np.float32


def test_a_history_that_says_much_makes_stronger_candidates_than_one_that_says_little() -> None:
    loud, quiet = strengths(np.array([[8, 4], [2, 1]], dtype=np.float32), 4.0)
    assert (loud == 4 * quiet).all()


def test_where_nobody_has_an_opinion_nothing_is_strong() -> None:
    assert strengths(np.full((2, 3), NO_OPINION), 3.0).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_no_candidates_have_no_strengths() -> None:
    assert strengths(np.zeros((3, 0), dtype=np.float32), 1.0).shape == (3, 0)
