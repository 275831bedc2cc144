"""Which items tell the very same, by what a build found."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_NUMBER = re.compile(r"\d+")


def numbers_named(title: str) -> str:
    """The numbers that a title names, in whatever order, without leading zeros: two episodes or two sizes differ in them."""
    return " ".join(sorted(number.lstrip("0") or "0" for number in _NUMBER.findall(title)))


class Stories:
    """`told`: shape (n,) or (0,), int32, for each row of a generation the row of the first item that tells what it does, -1 for what
    nothing else tells."""

    def __init__(self, told: Labels) -> None:
        self.told = told

    @property
    def there(self) -> bool:
        """Whether anything is told twice."""
        return len(self.told) > 0

    @property
    def may_be_there(self) -> bool:
        """Whether anything is, or may be found to be, told twice."""
        return self.there

    def of(self, rows: Rows) -> Labels:
        """The story of each of `rows`, shape (r,), all ≥ 0: -1 for what nothing else tells."""
        return self.told[rows] if len(self.told) else np.full(len(rows), -1, dtype=np.int32)

    def told_by_new(self, rows: Rows) -> bool:
        """Whether any of `rows` that is newer than the generation tells what something else does: none is."""
        return False

    def first_of_theirs(self, rows: Rows) -> Mask:
        """Which of `rows`, shape (any,), are the first there to tell what they do."""
        stories = self.of(rows)
        return (stories < 0) | np.isin(np.arange(len(rows)), np.unique(stories, return_index=True)[1])

    def told_again(self, rows: Rows, told: Rows) -> Mask:
        """Which of `rows` tell the very same as any of those `told`, both of shape (any,), -1 for what nothing is known of."""
        stories = self.of(rows)
        return (stories >= 0) & np.isin(stories, self.of(told[told >= 0]))
