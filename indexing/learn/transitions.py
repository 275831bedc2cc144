"""Transitions: what people tend to turn to after an item, and before it, by the order of their events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.blocks import runs
from indexing.learn.degrees import inverse_power
from indexing.learn.sums import ROWS, keep_strongest, stacked
from indexing.learn.visits import Visits
from recommender.compiling import compiled
from recommender.cores import shared
from recommender.event_table import EventTable
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings

Places = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

PARTS = 8
"""Parts of the visits that are summed up apart, so that sums do not depend on the number of cores."""


def transition_weights(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> sp.csr_array:
    """Weights between items, shape (n, n), CSR, float32: row j says what one unit of weight on item j adds to every other item.

    An item stands once for each person, at its newest event and with its strongest weight, as it does in a served history;
    items that a person disliked in the end are left out, and so is all but the newest events of each person (`person_limit`).
    Two of a person's items at most `window` steps apart make a pair, which counts by the weight of the item that is scored
    (of its event, decayed by `half_life_days`) times `step_decay` for each step beyond the first, and as much again times
    `backward` the other way round. Sums of pairs are divided by the powers `source_exponent` and `target_exponent` of all
    that leaves the one item and reaches the other; `neighbours` of each row stay.

    Events of equal time have no order: they make no pair with each other, and each stands at the middle of their places when
    steps are counted. So data without times gives no weights, and the order of arrival changes nothing.
    """
    n = catalogue.n
    visits = Visits.of(events, catalogue, settings)
    if not visits.ordered:
        return sp.csr_array((n, n), dtype=np.float32)
    options = settings.transitions
    # Steps are whole or half numbers.
    shares = options.step_decay ** (np.arange(2 * options.window + 1) / 2 - 1)
    told = (visits.person, visits.item, visits.weight, visits.at, visits.step, shares, options.backward)
    sums = shared(lambda part: _totals(*told, part.start, part.stop, n), runs(len(visits.item), -(-len(visits.item) // PARTS)))
    leaving, reaching = (np.sum(totals, axis=0) for totals in zip(*sums, strict=True))
    given, taken = inverse_power(leaving, options.source_exponent), inverse_power(reaching, options.target_exponent)
    by_item = np.argsort(visits.item, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(visits.item, minlength=n))])
    rows = shared(lambda part: _rows(*told, by_item, ends, given, taken, part.start, part.stop, options.neighbours), runs(n, ROWS))
    return stacked(rows, (n, n))


@compiled
def _totals(
    person: Items,
    item: Items,
    weight: Weights,
    at: Places,
    step: Weights,
    shares: Weights,
    backward: float,
    start: int,
    stop: int,
    n: int,
) -> tuple[Weights, Weights]:
    """How much leaves each item and how much reaches it, shape (n,) both, of the pairs that lead from the visits `start` to `stop`."""
    leaving, reaching = np.zeros(n), np.zeros(n)
    for here in range(start, stop):
        for direction in (1, -1):
            share = 1.0 if direction == 1 else backward
            there = here + direction
            while share > 0 and 0 <= there < len(item) and person[there] == person[here]:
                steps = int(2 * abs(step[there] - step[here]))
                if steps >= len(shares):
                    break
                if at[there] != at[here]:
                    counted = weight[there] * share * shares[steps]
                    leaving[item[here]] += counted
                    reaching[item[there]] += counted
                there += direction
    return leaving, reaching


@compiled
def _rows(
    person: Items,
    item: Items,
    weight: Weights,
    at: Places,
    step: Weights,
    shares: Weights,
    backward: float,
    by_item: Places,
    ends: Places,
    given: Weights,
    taken: Weights,
    start: int,
    stop: int,
    most: int,
) -> tuple[Items, Items, Floats]:
    """Lengths, columns and values of the rows `start` to `stop`; the visits of item j are those at `by_item`[`ends`[j] : `ends`[j + 1]]."""
    n = len(given)
    sums, seen = np.zeros(n), np.zeros(n, dtype=np.bool_)
    touched = np.empty(n, dtype=np.int32)
    lengths = np.zeros(stop - start, dtype=np.int32)
    columns = np.empty((stop - start) * min(most, n), dtype=np.int32)
    values = np.empty(len(columns), dtype=np.float32)
    filled = 0
    for row in range(start, stop):
        count = 0
        for place in range(ends[row], ends[row + 1]):
            here = by_item[place]
            for direction in (1, -1):
                share = 1.0 if direction == 1 else backward
                there = here + direction
                while share > 0 and 0 <= there < len(item) and person[there] == person[here]:
                    steps = int(2 * abs(step[there] - step[here]))
                    if steps >= len(shares):
                        break
                    if at[there] != at[here]:
                        target = item[there]
                        if not seen[target]:
                            seen[target] = True
                            touched[count] = target
                            count += 1
                        sums[target] += weight[there] * share * shares[steps] * given[row] * taken[target]
                    there += direction
        for place in range(count):
            seen[touched[place]] = False
        lengths[row - start] = keep_strongest(sums, touched, count, most, columns, values, filled)
        filled += lengths[row - start]
    return lengths, columns[:filled].copy(), values[:filled].copy()
