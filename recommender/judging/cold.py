"""Cold cuts: items or people that learning has never seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.distinct import distinct
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.judging.cuts import DEFAULT_WEIGHTS, Split, check_share, held_out_of, pair_keys, usable
from recommender.profile import EventWeights


def draw_cold_items(events: EventTable, share: float, rng: np.random.Generator, *, fewest: int = 1) -> npt.NDArray[np.uint32]:
    """About `share`, in (0, 1), of the items, drawn at random; at least one, ascending.

    Drawn are items that at least `fewest` people acted on, since an item that nobody took up judges nothing. Raises `InvalidInput` for
    another share and where there is no such item.
    """
    check_share(share)
    looked_at = usable(events)
    pairs = distinct(pair_keys(looked_at))
    items, people = np.unique((pairs & 0xFFFFFFFF).astype(np.uint32), return_counts=True)
    items = items[people >= fewest]
    if not len(items):
        raise InvalidInput("events", "none", f"at least one item that {fewest} or more people acted on")
    drawn: npt.NDArray[np.uint32] = np.sort(rng.choice(items, max(1, round(share * len(items))), replace=False))
    return drawn


def cold_items(
    events: EventTable, items: npt.NDArray[np.uint32], *, among_cold: bool = True, weights: EventWeights = DEFAULT_WEIGHTS
) -> Split:
    """Every event of `items`, shape (c,), leaves training; whoever took one of them up is judged on that.

    The history is all else that the person did, whenever. With `among_cold` only `items` may be ranked, otherwise everything may, as
    when cold items have to hold their own. "Now" is the newest training event's time. Raises `InvalidInput` where nothing is left to
    learn from, or nobody took up any of `items`.
    """
    cold = np.unique(items).astype(np.uint32)
    is_cold = np.isin(events.item, cold)
    training = events.where(~is_cold)
    held_out = held_out_of(
        usable(training),
        usable(events.where(is_cold)),
        weights,
        cut=int(training.at.max(initial=0)),
        candidates=cold if among_cold else None,
    )
    return Split(training, held_out, "cold items")


def cold_people(
    events: EventTable,
    share: float,
    rng: np.random.Generator,
    *,
    reveal: int = 0,
    weights: EventWeights = DEFAULT_WEIGHTS,
    repeats: bool = False,
) -> Split:
    """About `share`, in (0, 1), of the people, drawn at random, leave training altogether and are judged.

    The first `reveal` things that each did, 0 or more, are the history, what came after is to be found; who did no more than that is
    not judged. With `repeats` what is known is to be found as well, where it was taken up again. Each query's "now" is the time of the
    first event after the history. Raises `InvalidInput` for other numbers, and where nothing is left to learn from or nobody to judge on.
    """
    check_share(share)
    if reveal < 0:
        raise InvalidInput("reveal", reveal, "a number of events, 0 or more")
    people = np.unique(events.person)
    drawn = rng.choice(people, min(len(people), max(1, round(share * len(people)))), replace=False)
    is_cold = np.isin(events.person, drawn)
    training, theirs = events.where(~is_cold), usable(events.where(is_cold))
    _, starts, sizes = np.unique(theirs.person, return_index=True, return_counts=True)
    known = np.arange(len(theirs)) - np.repeat(starts, sizes) < reveal
    cut = int(training.at.max(initial=0))
    held_out = held_out_of(theirs.where(known), theirs.where(~known), weights, cut=cut, own_moments=True, repeats=repeats)
    return Split(training, held_out, f"cold people after {reveal} events")
