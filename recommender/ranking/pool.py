"""The candidates of a batch of queries, with all that sources say of them: what a blend orders, and what it is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.sources import Batch, Scorer


@dataclass(frozen=True, eq=False)
class Pool:
    """b queries, up to m candidates each, s sources.

    `rows`: shape (b, m), int32, ascending, -1 at the end of shorter lines. `strengths`: shape (b, m, s), float32, ≥ 0.
    `source_ranks`: shape (b, m, s), int32, 1-based, 0 without an opinion. `weights`: shape (b, s), 0 where a source takes no
    part. `added`: shape (b, m, s), what each source adds to a candidate's score. `learned`: shape (b,), which queries go by the
    learned blend. `scorers` and `left_out`, by place of the source: what answered, and why others did not.
    """

    batch: Batch
    rows: npt.NDArray[np.int32]
    strengths: npt.NDArray[np.float32]
    source_ranks: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    added: npt.NDArray[np.float32]
    learned: npt.NDArray[np.bool_]
    scorers: Mapping[int, Scorer]
    left_out: Mapping[int, str]
