"""Cuts drawn within each person: a random share of the items, or whole groups of them.

Both look at no times, so that what is learnt from may be later than what is judged.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from recommender.distinct import among, distinct
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.judging.cuts import DEFAULT_WEIGHTS, Split, check_share, held_out_of, pair_keys, usable
from recommender.profile import EventWeights


def random_share(events: EventTable, share: float, rng: np.random.Generator, *, weights: EventWeights = DEFAULT_WEIGHTS) -> Split:
    """`drawn_share` for judging, where it flatters.

    Warns with `UserWarning`, since training then holds what happened after much of what is judged (Meng et al., "Exploring data
    splitting strategies", RecSys 2020).
    """
    warnings.warn("a random split leaks the future: training holds events later than what is judged; cut by time instead", stacklevel=2)
    return drawn_share(events, share, rng, weights=weights)


def drawn_share(events: EventTable, share: float, rng: np.random.Generator, *, weights: EventWeights = DEFAULT_WEIGHTS) -> Split:
    """Hold out `share`, in (0, 1), of each person's items, rounded down but at least one; who has one item alone is not judged.

    Raises `InvalidInput` for another share and where nobody can be judged.
    """
    check_share(share)
    pairs = _taken_up(events, weights)
    pairs = pairs[np.lexsort((rng.random(len(pairs)), pairs >> 32))]
    _, starts, sizes = np.unique(pairs >> 32, return_index=True, return_counts=True)
    held = np.where(sizes > 1, np.maximum(1, (sizes * share).astype(np.int64)), 0)
    place = np.arange(len(pairs)) - np.repeat(starts, sizes)
    return _without(events, pairs[place < np.repeat(held, sizes)], weights, f"random {share:g}")


def clustered(
    events: EventTable,
    groups: npt.NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
    *,
    weights: EventWeights = DEFAULT_WEIGHTS,
) -> Split:
    """Hold out whole groups of each person's items, until about `share`, in (0, 1), of them are out.

    For data without order whose test part is not drawn like its training part: what is asked for lies in regions of the catalogue
    that the person's history says nothing of, as it does when tastes move. `groups`: the group of each item number, shape (n,), whole
    numbers. A person's groups come in random order, and each is taken that brings what is out nearer to the share; where every group is
    too large for that the person is not judged, and something always stays. Raises `InvalidInput` for another share, for
    groups that do not cover the items, and where nobody can be judged.
    """
    check_share(share)
    if groups.ndim != 1 or not np.issubdtype(groups.dtype, np.integer):
        raise InvalidInput("groups", f"{groups.dtype} of shape {groups.shape}", "whole numbers of shape (items,)")
    if len(events) and int(events.item.max()) >= len(groups):
        raise InvalidInput("groups", f"{len(groups)} entries", f"one for each item number up to {int(events.item.max())}")
    pairs = _taken_up(events, weights)
    person, group = pairs >> 32, groups[pairs & 0xFFFFFFFF].astype(np.int64)
    order = np.lexsort((group, person))
    pairs, person, group = pairs[order], person[order], group[order]
    new = np.append(True, (person[1:] != person[:-1]) | (group[1:] != group[:-1]))[: len(pairs)]
    starts = np.flatnonzero(new)
    sizes = np.diff(starts, append=len(pairs))
    owners = person[starts]
    _, wholes = np.unique(owners, return_inverse=True)
    total = np.bincount(wholes, weights=sizes)[wholes]
    taken = np.zeros(len(starts), dtype=np.bool_)
    out, before = 0, -1
    for run in np.lexsort((rng.random(len(starts)), owners)).tolist():
        if wholes[run] != before:
            out, before = 0, wholes[run]
        more, wanted = out + sizes[run], share * total[run]
        if abs(more - wanted) < abs(out - wanted) and more < total[run]:
            taken[run] = True
            out = more
    return _without(events, pairs[np.repeat(taken, sizes)], weights, f"groups of about {share:g}")


def _taken_up(events: EventTable, weights: EventWeights) -> npt.NDArray[np.int64]:
    """The different pairs of a person and an item with positive weight, ascending, as `pair_keys`."""
    looked_at = usable(events)
    return distinct(pair_keys(looked_at.where(weights.table()[looked_at.type] > 0)))


def _without(events: EventTable, pairs: npt.NDArray[np.int64], weights: EventWeights, name: str) -> Split:
    """The split that learns from all but the events of `pairs` and judges on these."""
    held = among(pair_keys(events), np.sort(pairs))
    training = events.where(~held)
    return Split(training, held_out_of(usable(training), usable(events.where(held)), weights, cut=int(training.at.max(initial=0))), name)
