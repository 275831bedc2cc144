"""Transitions: what people tend to turn to after an item, and before it, by the order of their events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.blocks import CHUNK_CELLS, blocks, runs
from indexing.learn.degrees import inverse_power
from indexing.learn.strongest import strongest_per_row
from indexing.learn.visits import Visits
from recommender.event_table import EventTable
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
    visits = Visits.of(events, catalogue, settings)
    if not visits.ordered:
        return sp.csr_array((n, n), dtype=np.float32)
    options = settings.transitions
    counts, leaving, reaching = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    # A run of places makes at most 4 * window times as many pairs, which are seen one distance at a time.
    for part in runs(len(visits.item), cells):
        for source, target, weight in _pairs(visits, np.arange(part.start, part.stop), options):
            counts += np.bincount(source, minlength=n)
            leaving += np.bincount(source, weights=weight, minlength=n)
            reaching += np.bincount(target, weights=weight, minlength=n)
    given, taken = inverse_power(leaving, options.source_exponent), inverse_power(reaching, options.target_exponent)
    by_item = np.argsort(visits.item, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(visits.item, minlength=n))])
    rows = []
    for block in blocks(counts, cells):
        size = block.stop - block.start
        found = list(_pairs(visits, by_item[ends[block.start] : ends[block.stop]], options))
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


def _pairs(visits: Visits, places: Places, options: Transitions) -> Iterator[tuple[Items, Items, Weights]]:
    """Items that lead from the visits at `places`, items that are led to, and the weights of these pairs, a distance at a time."""
    shares = {direction: share for direction, share in ((1, 1.0), (-1, options.backward)) if share > 0}
    going = dict.fromkeys(shares, places)
    # A group of g at equal time spreads over g places around its step, so that places lie less than twice as far apart as steps.
    for distance in range(1, 2 * options.window):
        for direction, share in shares.items():
            here = going[direction]
            there = here + direction * distance
            inside = (there >= 0) & (there < len(visits.item))
            here, there = here[inside], there[inside]
            same = visits.person[here] == visits.person[there]
            # Who has nothing so far away has nothing further away.
            going[direction] = here = here[same]
            there = there[same]
            steps = np.abs(visits.step[there] - visits.step[here])
            counted = (visits.at[here] != visits.at[there]) & (steps <= options.window)
            if counted.any():
                here, there, steps = here[counted], there[counted], steps[counted]
                yield visits.item[here], visits.item[there], visits.weight[there] * share * options.step_decay ** (steps - 1)
        if not any(len(left) for left in going.values()):
            return
