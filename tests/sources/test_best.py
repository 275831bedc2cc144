"""The best few of many scores."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.best import best_places


@pytest.mark.parametrize(
    ("scores", "limit", "places"),
    [
        ([3.0, 1.0, 2.0], 2, {0, 2}),
        ([1.0, 1.0, 1.0, 1.0], 2, {0, 1}),
        ([1.0, 5.0, 1.0, 1.0], 3, {0, 1, 2}),
        ([-np.inf, 0.0, -np.inf], 2, {0, 1}),
        ([1.0, 2.0], 5, {0, 1}),
        ([], 3, set()),
        ([1.0, 2.0], 0, set()),
    ],
)
def test_the_highest_are_taken_and_of_equal_ones_the_first(scores: list[float], limit: int, places: set[int]) -> None:
    assert set(best_places(np.array(scores, dtype=np.float32), limit).tolist()) == places
