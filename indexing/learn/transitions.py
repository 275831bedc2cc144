"""Transitions: what people tend to turn to after an item, and before it, by the order of their events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.decay import decay
from indexing.interactions import FLOOR
from indexing.learn.blocks import CHUNK_CELLS, blocks, runs
from indexing.learn.degrees import inverse_power
from indexing.learn.strongest import strongest_per_row
from recommender.event_table import EventTable, strongest_per_key
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings, Transitions

Places = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float64]


def transition_weights(events: EventTable, catalogue: Catalogue, settings: BuildSettings, *, cells: int = CHUNK_CELLS) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32: row j says what one unit of weight on item j adds to every other item.

    An item stands once for each person, at its newest event and with its strongest weight, as it does in a served history;
    items that a person disliked in the end are left out, and so is all but the newest events of each person (`person_limit`).
    Two of a person's items at most `window` steps apart make a pair, which counts by the weight of the item that is scored
    (of its event, decayed by `half_life_days`) times `step_decay` for each step beyond the first, and as much again times
    `backward` the other way round. Sums of pairs are divided by the powers `source_exponent` and `target_exponent` of all
    that leaves the one item and reaches the other; `neighbours` of each row stay.

    Events of equal time have no order: they make no pair with each other, and each stands at the middle of their places when
    steps are counted. So data without times gives no weights, and the order of arrival changes nothing.

    Intermediate results have at most `cells` entries, or those of a single item.
    """
    n = catalogue.n
    visits = _Visits.of(events, catalogue, settings)
    if not visits.ordered:
        return sp.csr_array((n, n), dtype=np.float32)
    options = settings.transitions
    counts, leaving, reaching = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    # A run of places makes at most 4 * window times as many pairs, which are seen one distance at a time.
    for part in runs(len(visits.item), cells):
        for source, target, weight in visits.pairs(np.arange(part.start, part.stop), options):
            counts += np.bincount(source, minlength=n)
            leaving += np.bincount(source, weights=weight, minlength=n)
            reaching += np.bincount(target, weights=weight, minlength=n)
    given, taken = inverse_power(leaving, options.source_exponent), inverse_power(reaching, options.target_exponent)
    by_item = np.argsort(visits.item, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(visits.item, minlength=n))])
    rows = []
    for block in blocks(counts, cells):
        size = block.stop - block.start
        found = list(visits.pairs(by_item[ends[block.start] : ends[block.stop]], options))
        if not found:
            rows.append(sp.csr_array((size, n), dtype=np.float32))
            continue
        source, target, weight = (np.concatenate(column) for column in zip(*found, strict=True))
        weight *= given[source] * taken[target]
        summed = sp.csr_array((weight.astype(np.float32), (source - np.int32(block.start), target)), shape=(size, n))
        rows.append(strongest_per_row(summed, options.neighbours))
    weights = sp.csr_array(sp.vstack(rows)) if rows else sp.csr_array((n, n), dtype=np.float32)
    weights.sort_indices()
    return weights


@dataclass(frozen=True, eq=False)
class _Visits:
    """People's items in order of time, one after the other, shape (m,).

    `person`: 0 and up. `item`: rows. `weight`: > 0, float64. `at`: µs. `step`: float64, the place, or for events of equal
    time the middle of their places.
    """

    person: npt.NDArray[np.int64]
    item: Items
    weight: Weights
    at: npt.NDArray[np.int64]
    step: npt.NDArray[np.float64]

    @property
    def ordered(self) -> bool:
        """Whether anybody did one thing after another."""
        return bool(((self.person[1:] == self.person[:-1]) & (self.at[1:] != self.at[:-1])).any())

    @classmethod
    def of(cls, events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> _Visits:
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

    def pairs(self, places: Places, options: Transitions) -> Iterator[tuple[Items, Items, Weights]]:
        """Items that lead from the visits at `places`, items that are led to, and the weights of these pairs, a distance at a time."""
        shares = {direction: share for direction, share in ((1, 1.0), (-1, options.backward)) if share > 0}
        going = dict.fromkeys(shares, places)
        # A group of g at equal time spreads over g places around its step, so that places lie less than twice as far apart as steps.
        for distance in range(1, 2 * options.window):
            for direction, share in shares.items():
                here = going[direction]
                there = here + direction * distance
                inside = (there >= 0) & (there < len(self.item))
                here, there = here[inside], there[inside]
                same = self.person[here] == self.person[there]
                # Who has nothing so far away has nothing further away.
                going[direction] = here = here[same]
                there = there[same]
                steps = np.abs(self.step[there] - self.step[here])
                counted = (self.at[here] != self.at[there]) & (steps <= options.window)
                if counted.any():
                    here, there, steps = here[counted], there[counted], steps[counted]
                    yield self.item[here], self.item[there], self.weight[there] * share * options.step_decay ** (steps - 1)
            if not any(len(left) for left in going.values()):
                return
