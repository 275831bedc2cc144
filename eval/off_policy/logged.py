"""What a logging policy did, what came of it, and how likely another policy would have done the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LoggedDecisions:
    """`m` ≥ 1 decisions of a logging policy, each with its reward and its probability under two policies.

    `reward`, shape (m,): any finite number (1 for a click, a rating). `propensity`, shape (m,), in (0, 1]: the probability with
    which the logging policy took the logged action. `target_probability`, shape (m,), in [0, 1] and above 0 somewhere: the
    probability with which the judged policy takes the same action in the same context.

    A reward model is optional: `q_logged`, shape (m,), is its prediction for the logged action, `q_target`, shape (m,), its mean
    over the target policy's actions, Σₐ π(a|x) q(x, a). The predictions must not have seen the row's own reward
    (`cross_fitted` of `reward_model` sees to that). `cluster`, shape (m,), of any sortable type: rows of one person or slate carry
    one value and count as one observation in intervals; without it every row does.

    Raises `InvalidInput` for anything else, naming the first row (from 0) that is at fault.
    """

    reward: Floats
    propensity: Floats
    target_probability: Floats
    q_logged: Floats | None = None
    q_target: Floats | None = None
    cluster: npt.NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        rows = len(self.reward)
        if not rows:
            raise InvalidInput("reward", "no rows", "at least one logged decision")
        for name in ("reward", "propensity", "target_probability", "q_logged", "q_target"):
            values = getattr(self, name)
            if values is not None:
                _check_length(name, values, rows)
                _refuse(name, values, ~np.isfinite(values), "finite numbers")
        if self.cluster is not None:
            _check_length("cluster", self.cluster, rows)
        impossible = (self.propensity == 0) & (self.target_probability > 0)
        _refuse("propensity", self.propensity, impossible, "above 0 wherever the target policy may act; no weight makes up for 0")
        _refuse("propensity", self.propensity, (self.propensity <= 0) | (self.propensity > 1), "above 0 and at most 1")
        outside = (self.target_probability < 0) | (self.target_probability > 1)
        _refuse("target_probability", self.target_probability, outside, "from 0 to 1")
        if not self.target_probability.any():
            raise InvalidInput("target_probability", "0 in every row", "above 0 somewhere; this log says nothing about such a policy")
        if (self.q_logged is None) != (self.q_target is None):
            given = "q_logged" if self.q_target is None else "q_target"
            raise InvalidInput("q_logged, q_target", f"{given} alone", "both, or neither")

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weights(self) -> Floats:
        """Importance weights, shape (m,), ≥ 0, with mean 1 in expectation: target probability by propensity."""
        return self.target_probability / self.propensity


def _check_length(name: str, values: npt.NDArray[np.generic], rows: int) -> None:
    if values.shape != (rows,):
        raise InvalidInput(name, f"shape {values.shape}", f"shape ({rows},), one value for each reward")


def _refuse(name: str, values: Floats, bad: npt.NDArray[np.bool_], allowed: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise InvalidInput(f"{name}[{row}]", float(values[row]), allowed)
