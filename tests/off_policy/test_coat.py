"""Ratings of what people picked say too much good of what there is, until weighted."""

from __future__ import annotations

import numpy as np
import pytest

from eval.datasets.coat import Coat
from eval.off_policy.coat import estimate_coat


def picked_world(people: int) -> Coat:
    """Fifty coats of ratings 1 to 5; the better a coat, the likelier picked, ten by each person. The test shows all that there is."""
    rng = np.random.default_rng(0)
    rating = np.stack([rng.permutation(np.arange(50) % 5 + 1) for _ in range(people)])
    propensity = (rating + 1) / 20
    # Systematic sampling: a pick wherever the running sum of probabilities passes a whole number, from a random start.
    passed = np.floor(np.cumsum(propensity, axis=1) + rng.random((people, 1)))
    picked = np.diff(passed, axis=1, prepend=0) > 0
    return Coat(np.where(picked, rating, 0), rating, propensity)


def test_weights_undo_self_selection() -> None:
    found = estimate_coat(picked_world(200))
    assert found.truth.mean == pytest.approx(3)
    picked_mean = sum(r * (r + 1) for r in range(1, 6)) / sum(r + 1 for r in range(1, 6))
    assert found.estimates["naive"].mean == pytest.approx(picked_mean, abs=0.1)
    for name in ("ips", "snips"):
        assert found.estimates[name].low < 3 < found.estimates[name].high
    assert not found.estimates["naive"].low < 3 < found.estimates["naive"].high


def test_ips_is_the_sum_of_weighted_ratings_over_all_pairs() -> None:
    train, test = np.array([[4, 0, 0], [0, 2, 5]]), np.array([[0, 1, 0], [3, 0, 0]])
    propensity = np.array([[0.5, 0.2, 0.3], [0.1, 0.4, 0.25]])
    found = estimate_coat(Coat(train, test, propensity))
    assert found.estimates["ips"].mean == pytest.approx((4 / 0.5 + 2 / 0.4 + 5 / 0.25) / 6)
    assert found.estimates["snips"].mean == pytest.approx((4 / 0.5 + 2 / 0.4 + 5 / 0.25) / (1 / 0.5 + 1 / 0.4 + 1 / 0.25))
    assert found.truth.mean == pytest.approx((1 + 3) / 2)
