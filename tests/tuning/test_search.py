"""One part's search: hopeless trials end early, impossible ones count as the worst."""

from __future__ import annotations

import pytest

from eval.tuning.budget import Budget
from eval.tuning.folds import Fold, folds_of
from eval.tuning.search import NOTHING, Found, present_values, search
from eval.tuning.space import parts_named
from eval.tuning.studies import finished, open_studies
from eval.tuning.training_part import TrainingPart
from eval.tuning.yardstick import Yardstick
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.generation import Contents
from recommender.placements import Placement
from recommender.profile import BuildSettings

(ITEM_ITEM,) = parts_named(["item_item"])
ALWAYS = Budget(lambda: 0.0, 1.0)


@pytest.fixture(scope="module")
def fold(data: TrainingPart, present: BuildSettings) -> Fold:
    return folds_of(data, present, people=1_000, seed=0)[0]


@pytest.fixture(scope="module")
def learnt(fold: Fold, present: BuildSettings) -> Contents:
    return fold.learning.contents(present)


@pytest.fixture(scope="module")
def yardstick(fold: Fold, learnt: Contents, present: BuildSettings) -> Yardstick:
    return Yardstick.of(
        Recommender.unpublished(learnt, present), fold.cuts_for(ITEM_ITEM), Placement(name="home"), "item_item", lambda: None
    )


def test_trials_that_fall_behind_on_half_of_the_people_are_not_finished(
    fold: Fold, learnt: Contents, yardstick: Yardstick, present: BuildSettings
) -> None:
    def refitted(settings: BuildSettings) -> Contents:
        return fold.learning.refitted(learnt, "item_item", settings)

    found = _searched(refitted, yardstick, present, trials=12)
    assert found.trials == 12
    assert 0 < found.pruned < 12
    assert set(found.values) == set(ITEM_ITEM.ranges)


def test_settings_that_nothing_can_be_learnt_with_are_the_worst_and_the_search_goes_on(
    learnt: Contents, yardstick: Yardstick, present: BuildSettings
) -> None:
    tried: list[BuildSettings] = []

    def refusing(settings: BuildSettings) -> Contents:
        tried.append(settings)
        if len(tried) == 1:
            raise InvalidInput("item_item.regularisation", settings.item_item.regularisation, "more")
        return learnt

    with open_studies(None) as studies:
        study = studies.of(ITEM_ITEM, ITEM_ITEM.ranges, {}, present_values(present, ITEM_ITEM.ranges))
        search(study, ITEM_ITEM, ITEM_ITEM.ranges, present, refusing, yardstick, trials=2, seed=0, slot=ALWAYS, budget=ALWAYS)
        first, second = finished(study)
    assert first.value == NOTHING == -1
    assert second.value is not None
    assert second.value > NOTHING


def test_what_changes_too_little_is_not_kept(learnt: Contents, yardstick: Yardstick, present: BuildSettings) -> None:
    def same(settings: BuildSettings) -> Contents:
        return learnt

    # Served from one fit, the settings of the fit change nothing.
    ranges = {path: given for path, given in ITEM_ITEM.ranges.items() if not path.endswith("history_decay")}
    with open_studies(None) as studies:
        study = studies.of(ITEM_ITEM, ranges, {}, present_values(present, ranges))
        found = search(study, ITEM_ITEM, ranges, present, same, yardstick, trials=2, seed=0, slot=ALWAYS, budget=ALWAYS)
    assert (found.trials, found.change, dict(found.values)) == (2, 0.0, {})


def _searched(contents: object, yardstick: Yardstick, present: BuildSettings, *, trials: int) -> Found:
    assert callable(contents)
    with open_studies(None) as studies:
        study = studies.of(ITEM_ITEM, ITEM_ITEM.ranges, {}, present_values(present, ITEM_ITEM.ranges))
        return search(study, ITEM_ITEM, ITEM_ITEM.ranges, present, contents, yardstick, trials=trials, seed=0, slot=ALWAYS, budget=ALWAYS)
