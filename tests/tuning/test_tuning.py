"""Tuning mends what is bad, keeps what is good, goes on where it stopped, and ends in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from eval.tuning.folds import NEW
from eval.tuning.space import parts_named, with_values
from eval.tuning.studies import open_studies
from eval.tuning.training_part import TrainingPart
from eval.tuning.tuning import Search, Tuned, tune
from indexing.progress import Lines
from recommender.errors import InvalidInput, Locked
from recommender.order import Order
from recommender.placements import Placement, SourceWeights
from recommender.profile import BuildSettings

NOBODY = (0.0, 0.0, 0.0, 0.0)
SILENT = {name: NOBODY for name in SourceWeights.model_fields}
HOME = Placement(name="home")
ONE_SOURCE = Placement(name="home", blend="weights", weights=SourceWeights(**{**SILENT, "collaborative": (0.0, 1.0, 1.0, 1.0)}))
"""A placement that listens to the collaborative source alone, so that nothing makes up for its faults."""

COLLABORATIVE = Search(parts_named(["collaborative"]), minutes=10, trials=4)


def run(data: TrainingPart, present: BuildSettings, how: Search, placement: Placement = ONE_SOURCE) -> Tuned:
    return tune(data, present, placement, how, Lines(StringIO()))


def ticking(step: float) -> Callable[[], float]:
    """A clock by which every look takes `step` seconds."""
    looks = iter(range(10**9))
    return lambda: step * next(looks)


@pytest.fixture(scope="module")
def bad(present: BuildSettings) -> BuildSettings:
    """Settings whose factors are shrunk until they tell nothing apart."""
    return with_values(present, {"collaborative.regularisation": 100_000.0})


@pytest.fixture(scope="module")
def whole(data: TrainingPart, bad: BuildSettings) -> Tuned:
    """What a tuning comes to that nothing stopped."""
    return run(data, bad, COLLABORATIVE)


def test_a_bad_setting_is_mended_and_the_figures_of_the_fresh_cut_show_it(whole: Tuned, bad: BuildSettings) -> None:
    tuned = whole
    (found,) = tuned.found
    assert (found.trials, found.earlier, found.why) == (4, 0, "")
    assert found.change > 0.5
    assert tuned.confirmation is not None
    assert tuned.confirmation.better
    differences = {figures.cut: figures.difference for figures in tuned.confirmation.figures}
    # Among items that nobody is learnt from, the only source that is listened to can say nothing.
    assert differences.pop(NEW).mean == 0
    assert len(differences) == 2
    assert all(difference.low > 0 for difference in differences.values())
    assert tuned.settings.collaborative.regularisation < 1_000 < bad.collaborative.regularisation
    assert tuned.settings.item_item == bad.item_item
    assert tuned.verdict == "better on a fresh cut"


def test_the_same_data_settings_and_seed_give_the_same_answer(whole: Tuned, data: TrainingPart, bad: BuildSettings) -> None:
    assert run(data, bad, COLLABORATIVE) == whole


def test_a_tuning_that_went_on_comes_to_the_same_as_one_that_never_stopped(
    whole: Tuned, data: TrainingPart, bad: BuildSettings, tmp_path: Path
) -> None:
    study = tmp_path / "study.db"
    first = run(data, bad, replace(COLLABORATIVE, trials=1, study=study))
    second = run(data, bad, replace(COLLABORATIVE, study=study))
    assert [one.found[0].trials for one in (first, second)] == [1, 4]
    assert second.found[0].earlier == 1
    assert second.settings == whole.settings
    assert second.found[0].change == whole.found[0].change


def test_what_is_no_better_leaves_the_settings_as_they_were(data: TrainingPart, present: BuildSettings) -> None:
    silent = Placement(name="home", blend="weights", weights=SourceWeights(**{**SILENT, "popular": (1.0, 1.0, 1.0, 1.0)}))
    bad = with_values(present, {"collaborative.regularisation": 100_000.0})
    tuned = run(data, bad, COLLABORATIVE, silent)
    assert tuned.confirmation is not None
    assert tuned.confirmation.changes["collaborative"] > 0
    assert {figures.difference.mean for figures in tuned.confirmation.figures} == {0.0}
    assert (tuned.settings, tuned.confirmation.better) == (bad, False)
    assert "did not do better" in tuned.verdict


def test_where_nothing_better_is_found_nothing_is_compared(data: TrainingPart, present: BuildSettings) -> None:
    # Thirty days within half a minute: no half-life tells any of it apart.
    events = replace(data.events, at=data.events.at // 100_000)
    tuned = run(replace(data, events=events), present, Search(parts_named(["popular"]), minutes=10, trials=2))
    assert (tuned.found[0].trials, dict(tuned.found[0].values)) == (2, {})
    assert (tuned.settings, tuned.confirmation) == (present, None)
    assert tuned.verdict.startswith("nothing better was found")


def test_every_part_can_be_tuned(data: TrainingPart, present: BuildSettings) -> None:
    names = ["events", "item_item", "co_occurrence", "transitions", "graph", "content", "transfer", "popular", "blending"]
    tuned = run(data, present, Search(parts_named(names), minutes=10, trials=1, people=20), HOME)
    assert [one.part.name for one in tuned.found] == names
    assert {one.part.name: one.trials for one in tuned.found} == dict.fromkeys(names, 1)


def test_parts_that_can_change_nothing_are_passed_over_and_say_why(data: TrainingPart, present: BuildSettings) -> None:
    starts = np.flatnonzero(np.append(True, data.events.person[1:] != data.events.person[:-1]))
    places = np.arange(len(data.events)) - np.repeat(starts, np.diff(starts, append=len(data.events)))
    sequences = replace(data, events=replace(data.events, at=1_000_000 * places), has_vector=np.zeros_like(data.has_vector))
    assert sequences.order is Order.SEQUENCE
    tuned = run(sequences, present, Search(parts_named(["content", "popular"]), minutes=10, trials=1))
    assert {one.part.name: (one.trials, one.why) for one in tuned.found} == {
        "content": (0, "the source has nothing to say on this data"),
        "popular": (0, "changes nothing on data of this kind"),
    }


def test_no_trial_starts_when_the_time_is_up_and_the_settings_stay(data: TrainingPart, bad: BuildSettings) -> None:
    # Sixty seconds and twenty for each look at the clock: gone before the first trial.
    tuned = run(data, bad, replace(COLLABORATIVE, minutes=1, clock=ticking(20)))
    assert [(one.trials, one.why) for one in tuned.found] == [(0, "time ran out")]
    assert (tuned.settings, tuned.confirmation) == (bad, None)


def test_without_a_number_of_trials_the_time_decides_and_enough_is_kept_to_compare(data: TrainingPart, bad: BuildSettings) -> None:
    looks: list[float] = []

    def clock() -> float:
        looks.append(float(len(looks)))
        return looks[-1]

    tuned = run(data, bad, replace(COLLABORATIVE, minutes=2, trials=None, clock=clock))
    (found,) = tuned.found
    assert found.trials > 0
    assert found.why == "time ran out"
    assert tuned.confirmation is not None
    assert tuned.confirmation.better
    assert looks[-1] <= 120


def test_a_trial_that_the_end_cuts_off_counts_for_nothing(whole: Tuned, data: TrainingPart, bad: BuildSettings, tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    ended = run(data, bad, replace(COLLABORATIVE, minutes=0.6, study=study, clock=ticking(1)))
    assert ended.found[0].why == "time ran out"
    after = run(data, bad, replace(COLLABORATIVE, study=study))
    assert (after.found[0].trials, after.found[0].earlier) == (4, ended.found[0].trials)
    assert after.settings == whole.settings
    with open_studies(study) as studies:
        names = optuna.get_all_study_names(studies.storage)
        states = [trial.state for name in names for trial in optuna.load_study(study_name=name, storage=studies.storage).trials]
    assert states.count(TrialState.FAIL) == 1


def test_one_study_is_used_by_one_tuning_at_a_time(data: TrainingPart, bad: BuildSettings, tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    with open_studies(study), pytest.raises(Locked):
        run(data, bad, replace(COLLABORATIVE, study=study))


@pytest.mark.parametrize(("field", "change"), [("minutes", {"minutes": 0}), ("minutes", {"minutes": -3})])
def test_no_time_is_refused(field: str, change: dict[str, float], data: TrainingPart, bad: BuildSettings) -> None:
    with pytest.raises(InvalidInput, match=field):
        run(data, bad, replace(COLLABORATIVE, **change))


@pytest.mark.parametrize(("field", "change"), [("trials", {"trials": 0}), ("people", {"people": 1}), ("only", {"parts": ()})])
def test_a_search_that_could_do_nothing_is_refused(field: str, change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=field):
        replace(COLLABORATIVE, **change)
