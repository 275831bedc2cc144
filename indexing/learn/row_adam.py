"""Adam (Kingma & Ba, ICLR 2015) on a large table of which each step touches few rows, at a cost that goes by those.

It is imported where it is used, since torch takes seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

EPSILON = 1e-8
REACH = 200
"""Steps after which what is left of a slope moves a row no more: with the betas that are used, less than a millionth."""

Rows = npt.NDArray[np.int64]


class RowAdam:
    """Moves the rows of `values`, shape (m, …), as Adam on all of them would, most having no slope in most steps.

    Such a row goes on moving by its slopes of before, ever less: by all of these moves at once when it is next looked at. There are
    `steps` steps at the most.
    """

    def __init__(self, values: Tensor, betas: tuple[float, float], steps: int) -> None:
        self._values = values.detach()
        self._means, self._squares = torch.zeros_like(self._values), torch.zeros_like(self._values)
        self._betas = betas
        self._steps = 0
        self._moved = np.zeros(len(values), dtype=np.int64)
        # What the moves since each step sum to, for one unit of mean over root of squares as they were then.
        self._ways = np.zeros(steps + 1)

    def at(self, rows: Rows) -> Tensor:
        """A copy of `rows`, shape (k,), all different, as they stand now: shape (k, …), to take slopes of."""
        self._catch_up(rows)
        return self._values[torch.from_numpy(rows)].requires_grad_()

    def step(self, rows: Rows, slopes: Tensor, rate: float) -> None:
        """One step by the `slopes`, shape (k, …), of the `rows` that `at` gave last; all others have none."""
        self._steps += 1
        first, second = self._betas
        place = torch.from_numpy(rows)
        means = torch.lerp(self._means[place], slopes, 1 - first)
        squares = torch.lerp(self._squares[place], slopes * slopes, 1 - second)
        self._means[place], self._squares[place] = means, squares
        # The corrections are for means that start at 0.
        corrected = rate * float(np.sqrt(1 - second**self._steps)) / (1 - first**self._steps)
        ago = np.arange(min(REACH, self._steps), 0, -1)
        self._ways[self._steps - ago] += corrected * (first / np.sqrt(second)) ** ago
        self._values[place] -= corrected * means / (squares.sqrt() + EPSILON)
        self._moved[rows] = self._steps

    def finish(self) -> None:
        """Bring all rows up to date."""
        self._catch_up(np.arange(len(self._moved)))

    def _catch_up(self, rows: Rows) -> None:
        missed = self._steps - self._moved[rows]
        behind = (missed > 0) & (self._moved[rows] > 0)
        rows, missed = rows[behind], missed[behind]
        if not len(rows):
            return
        first, second = self._betas
        place = torch.from_numpy(rows)
        means, squares = self._means[place], self._squares[place]
        self._values[place] -= self._as_rows(self._ways[self._moved[rows]]) * means / (squares.sqrt() + EPSILON)
        self._means[place] = means * self._as_rows(first**missed)
        self._squares[place] = squares * self._as_rows(second**missed)
        self._moved[rows] = self._steps

    def _as_rows(self, factors: npt.NDArray[np.floating]) -> Tensor:
        shape = (-1, *(1 for _ in self._values.shape[1:]))
        return torch.from_numpy(factors.astype(np.float32)).view(shape)
