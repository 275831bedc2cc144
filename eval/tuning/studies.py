"""Studies: the trials of each part, kept in one SQLite file so that a tuning can go on, or in memory."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from eval.tuning.space import Part, Value
from recommender.errors import InvalidInput, Locked

STARTUP_TRIALS = 8
"""Trials drawn at random before the sampler goes by earlier ones."""
BEFORE_PRUNING = 4
"""Trials that are finished whatever comes of them, so that there is a median to go by."""
PRESENT = "present"
"""Marks the trial that stands for the settings that a part started from; it costs nothing and counts for nothing."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class Studies:
    """The studies of one file, or of none."""

    def __init__(self, storage: optuna.storages.BaseStorage) -> None:
        self.storage = storage

    def of(
        self, part: Part, ranges: Mapping[str, BaseDistribution], made_for: Mapping[str, object], present: Mapping[str, Value]
    ) -> optuna.Study:
        """The study of a part under the conditions `made_for`; under any others it is another study, so that no two are mixed.

        A new one begins with a trial of the `present` values, which change nothing, where they lie inside the ranges. Trials that a
        killed run left behind count as failed.
        """
        conditions = {**made_for, "ranges": {path: distribution_to_json(given) for path, given in ranges.items()}}
        digest = hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()
        study = optuna.create_study(
            storage=self.storage,
            study_name=f"{part.name} {digest[:16]}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
            load_if_exists=True,
        )
        trials = study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state is TrialState.RUNNING:
                study.tell(trial.number, state=TrialState.FAIL)
        if not trials and all(inside(given, present[path]) for path, given in ranges.items()):
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(present),
                    distributions=dict(ranges),
                    value=0.0,
                    intermediate_values={0: 0.0, 1: 0.0},
                    user_attrs={PRESENT: True},
                )
            )
        return study


def inside(given: BaseDistribution, value: Value) -> bool:
    """Whether a value lies in a range."""
    if isinstance(given, CategoricalDistribution):
        return value in given.choices
    if isinstance(given, FloatDistribution | IntDistribution):
        return not isinstance(value, str) and given.low <= value <= given.high
    return False


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that were completed or pruned, without the one that stands for the present settings."""
    return [trial for trial in study.get_trials(deepcopy=False, states=FINISHED) if PRESENT not in trial.user_attrs]


def sampler(seed: int, part: Part, number: int) -> optuna.samplers.BaseSampler:
    """What draws the trial after `number` finished ones. Seeded for each, so that a study that goes on is the one that never stopped.

    Tree-structured Parzen estimator: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011.
    """
    digest = hashlib.sha256(f"{seed} {part.name} {number}".encode()).digest()
    return optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4]), n_startup_trials=STARTUP_TRIALS)


@contextmanager
def open_studies(path: Path | None) -> Iterator[Studies]:
    """The studies of the SQLite file `path`, which is made where there is none, or new ones in memory without a path.

    Raises `InvalidInput` for a file that is no SQLite database of studies or cannot be written, and `Locked` while another
    tuning goes on in it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if path is None:
        yield Studies(optuna.storages.InMemoryStorage())
        return
    with _locked(path):
        storage = _storage(path)
        try:
            yield Studies(storage)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _storage(path: Path) -> optuna.storages.RDBStorage:
    allowed = "a SQLite file of studies that may be written to, or a new name in a folder that exists"
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except (SQLAlchemyError, RuntimeError, OSError, optuna.exceptions.OptunaError) as error:
        raise InvalidInput("study", str(path), allowed) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput("study", str(path), f"a file in a folder that may be written to ({error.strerror})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another tuning goes on in {path}; try again when it has ended, or give each its own study") from None
        yield
    finally:
        os.close(descriptor)
