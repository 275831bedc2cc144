"""Logs of a randomised policy: what it showed, how likely it was to show just that, and whether it was clicked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class BanditLog:
    """m decisions in the order of the log, each of one item for one position.

    `at`: int64 µs since 1970. `item`: int64, in 0 … `n_items` - 1. `position`: int64, from 0, shape (m,) as all of these. `click`: bool.
    `propensity`: float64 in (0, 1], the probability with which the policy that wrote the log chose this item for this position.
    `context`: int64, shape (m, c), what was known of the person, one column for each of `context_names`, as codes from 0 that stand for
    the column's values in sorted order. Raises `InvalidInput` for anything else, and for a log of nothing.
    """

    at: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    click: npt.NDArray[np.bool_]
    propensity: npt.NDArray[np.float64]
    context: npt.NDArray[np.int64]
    context_names: tuple[str, ...]
    n_items: int

    def __post_init__(self) -> None:
        if not len(self):
            raise InvalidInput("at", "no row", "at least one decision")
        for name in ("item", "position", "click", "propensity"):
            if getattr(self, name).shape != (len(self),):
                raise InvalidInput(name, f"shape {getattr(self, name).shape}", f"shape ({len(self)},)")
        if self.context.shape != (len(self), len(self.context_names)):
            raise InvalidInput("context", f"shape {self.context.shape}", f"shape ({len(self)}, {len(self.context_names)})")
        if self.item.min() < 0 or self.item.max() >= self.n_items:
            raise InvalidInput("item", f"{self.item.min()} to {self.item.max()}", f"numbers from 0 to {self.n_items - 1}")
        if self.position.min() < 0 or (self.context < 0).any():
            raise InvalidInput("position" if self.position.min() < 0 else "context", "a negative number", "numbers from 0")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            bad = self.propensity[~((self.propensity > 0) & (self.propensity <= 1))][0]
            raise InvalidInput("propensity", float(bad), "a probability above 0, at most 1")

    def __len__(self) -> int:
        return len(self.at)
