"""The learned blend: how the strengths of all sources become one order.

First a weighted sum, whose weights depend on the length of the history, then, where a ranker was trained, its trees over more
features for the leading candidates. Both are learnt by a build, on people and times that the sources had not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.feeds import SourceName
from recommender.placements import HISTORY_BUCKETS
from recommender.ranking.features import FEATURES
from recommender.ranking.trees import Trees

Floats = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[np.generic]]

AS_SET: Floats = np.full(len(SourceName), np.nan, dtype=np.float32)
"""Decays that leave histories to the build settings."""


@dataclass(frozen=True, eq=False)
class Blend:
    """`weights`: shape (4, s), float32, ≥ 0: weight of each source by bucket of history length (`HISTORY_BUCKETS`).

    `scales`: shape (s,), float32, > 0: what each source typically gives a query's best candidate, by which its scores are divided.
    `trees`: None where the weighted sum orders better or alone. `calibration`: shape (2,), float64: a tree score t means
    probability 1 / (1 + exp(−(a·t + b))) of being taken up. `decays`: shape (s,), float32, in (0, 1]: how much less an event of a
    history counts to a source for each step that it lies back, NaN where the build settings say.
    """

    weights: Floats
    scales: Floats
    trees: Trees | None
    calibration: npt.NDArray[np.float64]
    decays: Floats = field(default_factory=lambda: AS_SET)

    def __post_init__(self) -> None:
        expected = (len(HISTORY_BUCKETS), len(SourceName))
        if self.weights.shape != expected or not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise ValueError(f"blend weights of shape {expected}, 0 or more, got shape {self.weights.shape}")
        if self.scales.shape != expected[1:] or not np.isfinite(self.scales).all() or (self.scales <= 0).any():
            raise ValueError(f"blend scales of shape {expected[1:]}, above 0, got {self.scales}")
        if self.trees is not None and self.trees.features != len(FEATURES):
            raise ValueError(f"trees over {len(FEATURES)} features, got {self.trees.features}")
        if self.calibration.shape != (2,) or not np.isfinite(self.calibration).all() or self.calibration[0] <= 0:
            raise ValueError(f"a calibration of positive slope and an offset, got {self.calibration}")
        if self.decays.shape != expected[1:] or not (np.isnan(self.decays) | ((self.decays > 0) & (self.decays <= 1))).all():
            raise ValueError(f"decays of shape {expected[1:]}, above 0 and at most 1, got {self.decays}")

    def probability(self, scores: Floats) -> Floats:
        """Probability of being taken up of candidates with these tree scores, the same shape, float32."""
        return _logistic(scores, *self.calibration.tolist())


@compiled
def _logistic(scores: Floats, slope: float, offset: float) -> Floats:
    made = np.empty(len(scores), dtype=np.float32)
    for place in range(len(scores)):
        made[place] = 1 / (1 + math.exp(-min(max(slope * np.float64(scores[place]) + offset, -80.0), 80.0)))
    return made


NO_CALIBRATION = np.array([1.0, 0.0])
EVEN = np.ones(len(SourceName), dtype=np.float32)
"""Scales that leave scores as they are."""


def blend_arrays(blend: Blend | None) -> dict[str, npt.NDArray[np.generic]]:
    """The blend as the arrays that a generation stores; all empty for None."""
    trees = Trees.none() if blend is None or blend.trees is None else blend.trees
    weights = np.zeros((0, len(SourceName)), dtype=np.float32) if blend is None else blend.weights
    calibration = NO_CALIBRATION if blend is None else blend.calibration
    return {
        "blend_weights": weights,
        "blend_scales": EVEN if blend is None else blend.scales,
        "blend_calibration": calibration,
        "blend_decays": AS_SET if blend is None else blend.decays,
        **{f"tree_{name}": array for name, array in trees.arrays().items()},
    }


def blend_of(arrays: Arrays) -> Blend | None:
    """The blend that `blend_arrays` stored. Raises ValueError or KeyError for arrays that are none."""
    weights = np.asarray(arrays["blend_weights"], dtype=np.float32)
    if not len(weights):
        return None
    trees = Trees.from_arrays({name.removeprefix("tree_"): array for name, array in arrays.items() if name.startswith("tree_")})
    scales, decays = (np.asarray(arrays[name], dtype=np.float32) for name in ("blend_scales", "blend_decays"))
    calibration = np.asarray(arrays["blend_calibration"], dtype=np.float64)
    return Blend(weights, scales, trees if trees.count else None, calibration, decays)
