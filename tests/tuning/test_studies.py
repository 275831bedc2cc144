"""Studies go on where they stopped, whatever stopped them, and are never mixed."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from eval.tuning.search import present_values
from eval.tuning.space import Part, parts_named
from eval.tuning.studies import Studies, finished, open_studies, sampler
from recommender.errors import InvalidInput, Locked
from recommender.profile import BuildSettings, ItemItem

(ITEM_ITEM,) = parts_named(["item_item"])


def study_of(studies: Studies, part: Part = ITEM_ITEM, **made_for: object) -> optuna.Study:
    return studies.of(part, part.ranges, made_for, present_values(BuildSettings(), part.ranges))


def ask(study: optuna.Study, number: int) -> tuple[optuna.Trial, float]:
    study.sampler = sampler(0, ITEM_ITEM, number)
    trial = study.ask()
    return trial, trial.suggest_float("item_item.regularisation", 1, 100_000, log=True)


def test_a_study_begins_with_the_present_settings_which_change_nothing_and_are_no_trial(tmp_path: Path) -> None:
    with open_studies(tmp_path / "study.db") as studies:
        study = study_of(studies)
        (first,) = study.trials
        assert (first.value, first.params["item_item.regularisation"]) == (0.0, BuildSettings().item_item.regularisation)
        assert finished(study) == []


def test_present_settings_outside_the_ranges_are_left_out() -> None:
    far = BuildSettings(item_item=ItemItem(regularisation=1_000_000))
    with open_studies(None) as studies:
        assert studies.of(ITEM_ITEM, ITEM_ITEM.ranges, {}, present_values(far, ITEM_ITEM.ranges)).trials == []


def test_a_trial_that_a_killed_run_left_counts_as_failed_and_the_rest_is_there(tmp_path: Path) -> None:
    with open_studies(tmp_path / "study.db") as studies:
        study = study_of(studies)
        study.tell(ask(study, 0)[0], 0.5)
        ask(study, 1)
    with open_studies(tmp_path / "study.db") as studies:
        study = study_of(studies)
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]
        assert [trial.value for trial in finished(study)] == [0.5]


def test_a_study_that_goes_on_tries_what_one_that_never_stopped_would(tmp_path: Path) -> None:
    drawn: list[list[float]] = []
    for parts in ([12], [3, 1, 8]):
        drawn.append([])
        for part in parts:
            with open_studies(tmp_path / f"study-{len(parts)}.db") as studies:
                study = study_of(studies)
                for _ in range(part):
                    trial, value = ask(study, len(finished(study)))
                    drawn[-1].append(value)
                    study.tell(trial, -value)
                # And one that is lost with its run.
                ask(study, len(finished(study)))
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 12


def test_other_conditions_are_another_study_of_the_same_file(tmp_path: Path) -> None:
    with open_studies(tmp_path / "study.db") as studies:
        names = {study_of(studies, data=data, seed=seed).study_name for data in "ab" for seed in (0, 1)}
        assert len(names) == 4
        assert study_of(studies, data="a", seed=0).study_name in names


def test_two_tunings_in_one_file_are_refused_and_the_second_may_come_after(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    with open_studies(file), pytest.raises(Locked, match="another tuning goes on"), open_studies(file):
        pass
    with open_studies(file):
        pass


def test_a_file_that_holds_no_studies_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be looked at " * 40)
    with pytest.raises(InvalidInput, match="study"), open_studies(file):
        pass
    assert file.read_text().startswith("not a database")
    with pytest.raises(InvalidInput, match="study"), open_studies(tmp_path / "nowhere" / "study.db"):
        pass
    with pytest.raises(InvalidInput, match="study"), open_studies(tmp_path):
        pass
