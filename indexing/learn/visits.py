"""What people did one after the other: what is learnt from order goes by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexing.decay import decay
from indexing.interactions import FLOOR
from indexing.pace import paced
from recommender.event_table import EventTable, strongest_per_key
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings


@dataclass(frozen=True, eq=False)
class Visits:
    """People's items in order of time, one after the other, shape (m,).

    `person`: 0 and up. `item`: rows. `weight`: > 0, float64. `at`: µs. `step`: float64, the place, or for events of equal
    time the middle of their places.
    """

    person: npt.NDArray[np.int64]
    item: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    at: npt.NDArray[np.int64]
    step: npt.NDArray[np.float64]

    @property
    def ordered(self) -> bool:
        """Whether anybody did one thing after another."""
        return bool(((self.person[1:] == self.person[:-1]) & (self.at[1:] != self.at[:-1])).any())

    @classmethod
    def of(cls, events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> Visits:
        """An item stands once for each person, at its newest event and with its strongest weight, decayed by `half_life_days`, as it does
        in a served history; items that a person disliked in the end are left out, and so is all but the newest events of each
        person (`person_limit`). Events of equal time stand in the order of their arrival."""
        settings = paced(events, catalogue, settings)
        assert settings.half_life_days is not None
        events = events.acted().newest_per_person(settings.person_limit)
        rows = catalogue.rows_of(events.item)
        weights = events.weights(settings.event_weights)
        kept = np.flatnonzero((rows >= 0) & (weights != 0))
        _, person = np.unique(events.person[kept], return_inverse=True)
        places, strongest = strongest_per_key(person * np.int64(catalogue.n) + rows[kept], weights[kept])
        liked = strongest > 0
        places, strongest = places[liked], strongest[liked]
        person, item, at = person[places], rows[kept][places], events.at[kept][places]
        decayed = strongest * decay(at, int(at.max(initial=0)), settings.half_life_days, floor=FLOOR)
        first = np.ones(len(at), dtype=np.bool_)
        first[1:] = (person[1:] != person[:-1]) | (at[1:] != at[:-1])
        starts = np.flatnonzero(first)
        lengths = np.diff(starts, append=len(at))
        return cls(person, item, decayed, at, np.repeat(starts + (lengths - 1) / 2, lengths))
