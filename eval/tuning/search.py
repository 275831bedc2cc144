"""The search over one part of the settings, trial by trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from eval.tuning.budget import Budget, OutOfTime
from eval.tuning.space import Part, Value, rounded, value_at, with_values
from eval.tuning.studies import finished, sampler
from eval.tuning.yardstick import Yardstick
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.generation import Contents
from recommender.profile import BuildSettings

LEAST_GAIN = 0.002
"""A part keeps its settings where the best trial changes the worst cut by less: so little is chance."""
NOTHING = -1.0
"""The change of settings that nothing can be learnt with, as if every figure became 0."""


@dataclass(frozen=True)
class Found:
    """What came of a part. `values`: by path, empty where its settings stay. `change`: of the worst cut, as a share of the figure before.

    `trials`: finished ones in all, `pruned` of them early; `earlier`: those that the study held before. `why`: why it was not
    tuned, or not to the end; "" where it was.
    """

    part: Part
    values: Mapping[str, Value]
    change: float = 0.0
    trials: int = 0
    pruned: int = 0
    earlier: int = 0
    why: str = ""


def search(
    study: optuna.Study,
    part: Part,
    ranges: Mapping[str, BaseDistribution],
    start: BuildSettings,
    contents: Callable[[BuildSettings], Contents],
    yardstick: Yardstick,
    *,
    trials: int | None,
    seed: int,
    slot: Budget,
    budget: Budget,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Found:
    """Try values of `part` until the study has `trials` of them, or no time is left.

    `contents`: what is served with tried settings. No trial starts after `slot`; one that is on when `budget` ends is given up between
    its steps (the fit, and the people of each half of each cut), and counts for nothing.
    """
    earlier = done = len(finished(study))
    why = ""
    while trials is None or done < trials:
        progress(done, trials)
        if slot.left <= 0:
            why = "time ran out"
            break
        study.sampler = sampler(seed, part, done)
        trial = study.ask()
        try:
            _try(study, trial, ranges, start, contents, yardstick, budget)
        except OutOfTime:
            study.tell(trial, state=TrialState.FAIL)
            why = "time ran out"
            break
        done += 1
    progress(done, trials)
    best = _best(study)
    kept = best is not None and best.value is not None and best.value >= LEAST_GAIN
    tried = finished(study)
    return Found(
        part,
        {path: rounded(best.params[path]) for path in ranges} if kept and best is not None else {},
        best.value if kept and best is not None and best.value is not None else 0.0,
        len(tried),
        sum(one.state is TrialState.PRUNED for one in tried),
        earlier,
        why,
    )


def _try(
    study: optuna.Study,
    trial: optuna.Trial,
    ranges: Mapping[str, BaseDistribution],
    start: BuildSettings,
    contents: Callable[[BuildSettings], Contents],
    yardstick: Yardstick,
    budget: Budget,
) -> None:
    settings = with_values(start, {path: rounded(_suggested(trial, path, given)) for path, given in ranges.items()})
    budget.check()
    try:
        engine = Recommender.unpublished(contents(settings), settings)
    except (InvalidInput, np.linalg.LinAlgError):
        study.tell(trial, NOTHING)
        return
    value = 0.0
    for step, value in enumerate(yardstick.changes(engine, budget.check)):
        trial.report(value, step)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, value)


def _suggested(trial: optuna.Trial, path: str, given: BaseDistribution) -> Value:
    match given:
        case FloatDistribution():
            return trial.suggest_float(path, given.low, given.high, log=given.log)
        case IntDistribution():
            return trial.suggest_int(path, given.low, given.high, log=given.log)
        case CategoricalDistribution():
            return str(trial.suggest_categorical(path, given.choices))
    raise TypeError(f"{path}: no way to draw from a {type(given).__name__}")


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The completed trial of the highest value, of equal ones the first; None without any."""
    completed = [trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if trial.value is not None]
    return max(completed, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def present_values(settings: BuildSettings, ranges: Mapping[str, BaseDistribution]) -> dict[str, Value]:
    """The values that `settings` have for the paths of `ranges`."""
    return {path: value_at(settings, path) for path in ranges}
