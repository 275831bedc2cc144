"""The candidates of a query, with all that sources say of them: what a blend orders, and what it is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.sources import Past, Scorer


@dataclass(frozen=True, eq=False)
class Pool:
    """m candidates, s sources.

    `rows`: shape (m,), int32, ascending. `strengths`: shape (m, s), float32, ≥ 0 where the query goes by the learned blend.
    `source_ranks`: shape (m, s), int32, 1-based, 0 without an opinion. `weights`: shape (s,), 0 where a source takes no part. `added`:
    shape (m, s), what each source adds to a candidate's score. `totals`: shape (m,), its sums. `order`: places of the candidates with a
    sum above 0, the highest first. `learned`: whether the query goes by the learned blend. `scorers` and `left_out`, by place of the
    source: what answered, and why others did not.
    """

    past: Past
    rows: npt.NDArray[np.int32]
    strengths: npt.NDArray[np.float32]
    source_ranks: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    added: npt.NDArray[np.float32]
    totals: npt.NDArray[np.float32]
    order: npt.NDArray[np.int64]
    learned: bool
    scorers: Mapping[int, Scorer]
    left_out: Mapping[int, str]
