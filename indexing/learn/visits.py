"""What people did one after the other: what is learnt from order goes by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from indexing.interactions import FLOOR
from indexing.pace import paced
from indexing.standing import Standing, in_order
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings


@dataclass(frozen=True, eq=False)
class Visits:
    """People's items in order of time, one after the other, shape (m,).

    `person`: 0 and up. `item`: rows. `weight`: > 0, float64. `at`: µs. `step`: float64, the place, or for events of equal
    time the middle of their places.
    """

    person: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    at: npt.NDArray[np.int64]
    step: npt.NDArray[np.float64]

    @property
    def ordered(self) -> bool:
        """Whether anybody did one thing after another."""
        return in_order(self.person, self.at)

    @classmethod
    def of(cls, events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> Visits:
        """An item stands once for each person, at its newest event and with its strongest weight, decayed by `half_life_days`, as it does
        in a served history; items that a person disliked in the end are left out, and so is all but the newest events of each
        person (`person_limit`). Events of equal time stand in the order of their arrival."""
        settings = paced(events, catalogue, settings)
        assert settings.half_life_days is not None
        standing = Standing.of(events, catalogue, settings)
        person, item, strongest, at = standing.where(standing.weight > 0)
        decayed = strongest * decay(at, int(at.max(initial=0)), settings.half_life_days, floor=FLOOR)
        first = np.ones(len(at), dtype=np.bool_)
        first[1:] = (person[1:] != person[:-1]) | (at[1:] != at[:-1])
        starts = np.flatnonzero(first)
        lengths = np.diff(starts, append=len(at))
        return cls(person, item, decayed, at, np.repeat(starts + (lengths - 1) / 2, lengths))
