"""Settings are measured by the cut on which they do worst next to others."""

from __future__ import annotations

import numpy as np
import pytest

from eval.tuning.folds import folds_of
from eval.tuning.space import with_values
from eval.tuning.training_part import TrainingPart
from eval.tuning.yardstick import Yardstick, worst_change
from recommender.engine import Recommender
from recommender.judging import judge
from recommender.placements import Placement
from recommender.profile import BuildSettings

HOME = Placement(name="home")


def nothing() -> None:
    """A check that always lets through."""


def test_the_worst_cut_counts() -> None:
    theirs = [np.array([0.2, 0.4]), np.array([0.5, 0.5])]
    ours = [np.array([0.4, 0.5]), np.array([0.4, 0.5])]
    assert worst_change(ours, theirs) == pytest.approx(min((0.45 - 0.3) / 0.3, (0.45 - 0.5) / 0.5))


def test_a_change_from_nothing_is_finite() -> None:
    assert worst_change([np.array([0.1])], [np.array([0.0])]) == pytest.approx(0.1 / 1e-4)
    assert worst_change([np.array([0.0])], [np.array([0.0])]) == 0


def test_changes_are_of_half_the_people_and_then_of_all(data: TrainingPart, present: BuildSettings) -> None:
    fold, _ = folds_of(data, present, people=1_000, seed=0)
    contents = fold.learning.contents(present)
    engine = Recommender.unpublished(contents, present)
    yardstick = Yardstick.of(engine, fold.cuts, HOME, "item_item", nothing)
    assert list(yardstick.changes(engine, nothing)) == [0, 0]

    other = with_values(present, {"item_item.regularisation": 0.01})
    rival = Recommender.unpublished(fold.learning.brought(contents, present, other), other)
    values = [
        [[judge(judged, half, HOME, variant="item_item").values["ndcg@10"] for half in cut.halves] for cut in fold.cuts]
        for judged in (rival, engine)
    ]
    ours, theirs = values
    first, both = yardstick.changes(rival, nothing)
    assert first == pytest.approx(min(our[0].mean() / their[0].mean() - 1 for our, their in zip(ours, theirs, strict=True)))
    means = [[np.concatenate(halves).mean() for halves in one] for one in values]
    assert both == pytest.approx(min(our / their - 1 for our, their in zip(*means, strict=True)))
    assert both < -0.1


def test_a_check_comes_before_every_cut(data: TrainingPart, present: BuildSettings) -> None:
    fold, _ = folds_of(data, present, people=1_000, seed=0)
    engine = Recommender.unpublished(fold.learning.contents(present), present)
    checks: list[int] = []
    Yardstick.of(engine, fold.cuts, HOME, "popularity", lambda: checks.append(1))
    assert len(checks) == len(fold.cuts) * 2
