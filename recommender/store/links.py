"""Reading events of people who were linked: whose they are, as of a value of the change sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.store.connection import Readers

_LINKS = "SELECT sequence, person, same_as FROM links WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"

LINKS_BATCH = 20_000


@dataclass(frozen=True, eq=False)
class Links:
    """`numbers` of those who joined others, ascending, and the numbers of the people `same_as` whom they are; shape (n,), uint32."""

    numbers: npt.NDArray[np.uint32]
    same_as: npt.NDArray[np.uint32]

    @classmethod
    def read(cls, readers: Readers, *, upto: int) -> Links:
        """All that were made up to the sequence value `upto`, in short reads; chains lead to their ends."""
        parts = [np.zeros((0, 2), dtype=np.uint32)]
        last = 0
        while rows := readers.all(_LINKS, (last, upto, LINKS_BATCH)):
            parts.append(np.array([row[1:] for row in rows], dtype=np.uint32))
            last = rows[-1][0]
        pairs = np.concatenate(parts)
        numbers, same_as = pairs[np.argsort(pairs[:, 0])].T.copy()
        links = cls(numbers, same_as)
        # Nobody joins another twice, and there are no circles.
        while not np.array_equal(further := links.whose(links.same_as), links.same_as):
            links = cls(numbers, further)
        return links

    def whose(self, people: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """The numbers of those who the `people` with these numbers are, which mostly are their own; same shape."""
        if not len(self.numbers):
            return people
        places = np.minimum(np.searchsorted(self.numbers, people), len(self.numbers) - 1)
        return np.where(self.numbers[places] == people, self.same_as[places], people)
