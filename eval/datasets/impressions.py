"""Impression logs: what was shown together, to whom and when, and what of it was clicked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Impressions:
    """m impressions, oldest first, of t shown items in all.

    `person`: person numbers, uint32, shape (m,). `at`: int64 µs since 1970, shape (m,). `offsets`: int64, shape (m + 1,), from 0 to t:
    impression i showed `item[offsets[i]:offsets[i + 1]]`, at least one item. `item`: uint32 item numbers, shape (t,), in the order of
    the log, which need not be the order on the page. `clicked`: bool, shape (t,). `judged`: bool, shape (m,), which impressions the
    publishers hold out, None where they do not say. Raises `InvalidInput` where these do not fit together.
    """

    person: npt.NDArray[np.uint32]
    at: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    item: npt.NDArray[np.uint32]
    clicked: npt.NDArray[np.bool_]
    judged: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.person.ndim != 1 or self.at.shape != self.person.shape:
            raise InvalidInput("at", f"shape {self.at.shape}", f"one time for each of the {self.person.shape} people")
        if self.clicked.shape != self.item.shape:
            raise InvalidInput("clicked", f"shape {self.clicked.shape}", f"one mark for each shown item, shape {self.item.shape}")
        if self.judged is not None and (self.judged.shape != self.person.shape or not self.judged.any() or self.judged.all()):
            raise InvalidInput("judged", f"shape {self.judged.shape}", f"a mark for each of the {len(self)} impressions, some of them set")
        if self.offsets.shape != (len(self) + 1,) or self.offsets[0] != 0 or self.offsets[-1] != len(self.item):
            raise InvalidInput("offsets", f"shape {self.offsets.shape}", f"{len(self) + 1} places from 0 to {len(self.item)}")
        if (np.diff(self.offsets) < 1).any():
            raise InvalidInput("offsets", "an impression of nothing", "at least one shown item each")
        if (np.diff(self.at) < 0).any():
            raise InvalidInput("at", "times that go back", "the oldest impression first")

    def __len__(self) -> int:
        return len(self.person)
