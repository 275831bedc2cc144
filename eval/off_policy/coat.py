"""Whether weights undo self-selection: the mean rating of coats drawn at random, from the ratings of coats that people picked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eval.datasets.coat import Coat
from eval.off_policy.estimators import all_estimates, naive
from eval.off_policy.logged import LoggedDecisions
from eval.off_policy.weight_diagnostics import WeightDiagnostics, diagnose
from recommender.judging import Interval


@dataclass(frozen=True)
class Debiasing:
    """Mean ratings from the picked ratings, by name of estimate, and the mean of the uniformly drawn ones, the `truth`."""

    estimates: Mapping[str, Interval]
    diagnostics: WeightDiagnostics
    truth: Interval


def estimate_coat(coat: Coat, *, clip: float = 10.0) -> Debiasing:
    """The mean over all people and coats, from `coat.train` and its propensities, beside that of `coat.test`.

    Over P people and C coats with m ratings, the inverse-propensity mean is (1/PC) Σ r/p (Schnabel et al. 2016): that of `ips`
    where every pair has the target probability m/PC. The intervals take m as given (everybody picked 24 coats), and a person's ratings
    as one cluster, here and in the truth.
    """
    person, item = np.nonzero(coat.train)
    share = np.full(len(person), len(person) / coat.train.size)
    picked = LoggedDecisions(coat.train[person, item].astype(np.float64), coat.propensity[person, item], share, cluster=person)
    drawer, drawn = np.nonzero(coat.test)
    even = np.ones(len(drawer))
    uniform = LoggedDecisions(coat.test[drawer, drawn].astype(np.float64), even, even, cluster=drawer)
    return Debiasing(all_estimates(picked, clip=clip), diagnose(picked), naive(uniform))
