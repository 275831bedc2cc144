"""Probabilities as they were served, beside what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eval.evaluation import Evaluation
from eval.reliability import reliability
from indexing.blending.calibration import calibration_error
from recommender.items import Item, ItemKind
from recommender.judging.comparison import Comparison

ITEMS = [Item(f"item-{number}", ItemKind.MEDIA) for number in range(10)]


def served(evaluation: Evaluation, scores: list[list[float]], ranked: int = 100) -> Evaluation:
    """The evaluation with these scores of the blend's leading items, of which trees ordered `ranked`."""
    blend = evaluation.comparison.judgements["blend"]
    given = np.full(blend.lists.shape, np.nan, dtype=np.float32)
    for line, row in enumerate(scores):
        given[line, : len(row)] = row
    judgements = {**evaluation.comparison.judgements, "blend": replace(blend, scores=given)}
    windows = [replace(window, ranked=ranked) for window in evaluation.windows]
    return replace(evaluation, comparison=Comparison(evaluation.comparison.held_out, judgements), windows=windows)


@pytest.fixture
def two(by_hand: Callable[..., Evaluation], query: Any) -> Evaluation:
    """Two people who were shown three items each, of which they wanted the first, and the first and the second."""
    lists = [({"content": [9], "blend": [0, 1, 2]}, [0]), ({"content": [9], "blend": [3, 4, 5]}, [3, 4])]
    return by_hand(ITEMS, [query(person, [], wanted, shown) for person, (shown, wanted) in enumerate(lists)])


def test_bins_hold_what_was_predicted_and_what_happened(two: Evaluation) -> None:
    found = reliability(served(two, [[0.8, 0.4, 0.1], [0.8, 0.4, 0.1]]))
    assert found is not None
    assert found.shown == 6
    assert [(each.shown, each.predicted, each.happened.mean) for each in found.bins] == [
        (2, pytest.approx(0.1), 0),
        (2, pytest.approx(0.4), 0.5),
        (2, pytest.approx(0.8), 1),
    ]
    assert found.error == pytest.approx((0.1 + 0.1 + 0.2) / 3)


def test_only_what_the_trees_ordered_counts(two: Evaluation) -> None:
    found = reliability(served(two, [[0.8, 0.4], [0.8]], ranked=1))
    assert found is not None
    assert (found.shown, found.error) == (2, pytest.approx(0.2))
    assert reliability(served(two, [[0.8], [0.8]], ranked=0)) is None
    assert reliability(two) is None


def test_the_error_is_that_of_the_bins(whole: Evaluation) -> None:
    found, blend = reliability(whole), whole.comparison.judgements["blend"]
    assert found is not None
    assert len(found.bins) > 2
    predicted = [each.predicted for each in found.bins]
    assert predicted == sorted(predicted)
    distance = sum(each.shown * abs(each.predicted - each.happened.mean) for each in found.bins) / found.shown
    assert found.error == pytest.approx(distance)
    scored = np.isfinite(blend.scores)
    assert found.error == pytest.approx(calibration_error(blend.scores[scored].astype(float), blend.hits[scored]))
