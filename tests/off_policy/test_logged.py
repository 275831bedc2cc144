"""Logged decisions that cannot be are refused, by column and row."""

from __future__ import annotations

import numpy as np
import pytest

from eval.off_policy import LoggedDecisions
from recommender.errors import InvalidInput


def log(**changed: list[float] | None) -> LoggedDecisions:
    columns = {"reward": [1.0, 0.0, 0.0], "propensity": [0.5, 0.25, 1.0], "target_probability": [0.25, 0.5, 0.0]} | changed
    return LoggedDecisions(**{name: None if values is None else np.array(values) for name, values in columns.items()})


def test_weights_are_target_probability_by_propensity() -> None:
    assert log().weights.tolist() == [0.25 / 0.5, 0.5 / 0.25, 0.0]
    assert len(log()) == 3


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reward": []}, "reward"),
        ({"reward": [1.0, float("nan"), 0.0]}, "reward[1]"),
        ({"reward": [1.0, 0.0, float("inf")]}, "reward[2]"),
        ({"reward": [1.0, 0.0]}, "propensity"),
        ({"propensity": [0.5, 0.0, 1.0]}, "propensity[1]"),
        ({"propensity": [0.5, 0.25, 0.0]}, "propensity[2]"),
        ({"propensity": [1.5, 0.25, 1.0]}, "propensity[0]"),
        ({"propensity": [0.5, 0.25, -0.1]}, "propensity[2]"),
        ({"propensity": [0.5, 0.25, float("nan")]}, "propensity[2]"),
        ({"target_probability": [0.25, -0.5, 0.0]}, "target_probability[1]"),
        ({"target_probability": [0.25, 1.5, 0.0]}, "target_probability[1]"),
        ({"target_probability": [0.0, 0.0, 0.0]}, "target_probability"),
        ({"q_logged": [0.1, 0.1, 0.1]}, "q_logged, q_target"),
        ({"q_logged": [0.1, 0.1, 0.1], "q_target": [0.1, float("nan"), 0.1]}, "q_target[1]"),
        ({"cluster": [1, 2]}, "cluster"),
    ],
)
def test_what_cannot_be_is_refused_by_column_and_row(changed: dict[str, list[float]], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        log(**changed)
    assert refused.value.field == field


def test_a_propensity_of_zero_where_the_target_acts_is_told_from_other_impossible_ones() -> None:
    with pytest.raises(InvalidInput, match="no weight makes up for 0"):
        log(propensity=[0.5, 0.0, 1.0])
    with pytest.raises(InvalidInput, match="above 0 and at most 1"):
        log(propensity=[0.5, 0.25, 0.0])
