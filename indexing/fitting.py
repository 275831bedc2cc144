"""A whole fit: what sources learn, and how they are blended, each from events that the other has not seen (D14).

The blend has to be learnt on what the sources were not fitted on. So the events are cut first, inside what may be learnt from: an
inner fit sees what lies before, the blend is learnt on what people did after, and then the sources are fitted on all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.blending.blending import Learnt, learn_blend
from indexing.interactions import interaction_matrix, positive_part
from indexing.learn.local_ridge import like_items
from indexing.learning import learn
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.judging import HeldOut, cut_at_share, hold_out
from recommender.judging.cold import draw_cold_items
from recommender.judging.cuts import Split, held_out_of, leave_last_out, usable
from recommender.judging.drawn import clustered, drawn_share
from recommender.order import Order, order_of
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

NEW_ITEMS, FEWEST_OF_NEW = 0.05, 3
"""Share of the items that an unordered inner cut makes new, of those with so many people at least."""
REGION = 100
"""Items of one region at the most; unordered histories are cut along regions of like items."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Contents with the blend that goes with them, and how that was learnt: None where there was too little to learn one from."""

    contents: Contents
    learnt: Learnt | None


@dataclass(frozen=True, eq=False)
class InnerCut:
    """`training`: what the inner fit sees. `parts`: whom the blend is learnt on, one group for each way in which it was cut."""

    training: EventTable
    parts: list[HeldOut]


def fit(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: Flags,
    events: EventTable,
    settings: BuildSettings,
    placement: Placement,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """Learn the blend on an inner cut of `events`, then everything else on all of them."""
    learnt = None
    inner = inner_cut(catalogue, events, settings, new_items=bool(has_vector.any()), repeats=placement.repeat == "allowed")
    if inner is not None:
        engine = Recommender.unpublished(learn(catalogue, vectors, has_vector, inner.training, settings), settings)
        progress(1, 3)
        learnt = learn_blend(engine, inner.parts, placement, settings.blending, seed=settings.seed)
    progress(2, 3)
    contents = learn(catalogue, vectors, has_vector, events, settings, learnt.blend if learnt else None)
    progress(3, 3)
    return Fitted(contents, learnt)


def inner_cut(
    catalogue: Catalogue, events: EventTable, settings: BuildSettings, *, new_items: bool, repeats: bool = False
) -> InnerCut | None:
    """The cut that the data's shape asks for; None where there is nothing to cut.

    With times, the newest share of the events is held out, twice over: with a part of it revealed, as while a generation serves, and
    without, when histories are stale. With order alone, each person's last item. Without either, a random share for half of the people
    and whole regions of the catalogue for the other half, since a random share alone favours what merely remembers; and with
    `new_items`, for which something must speak that is not behaviour, a few items altogether. With `repeats` and an order, what people
    had before is held out as well where they took it up again.
    """
    events = events.consenting(Consent.TRAIN)
    try:
        match order_of(events):
            case Order.TIME:
                return _by_time(events, settings, repeats)
            case Order.SEQUENCE:
                split = leave_last_out(events, weights=settings.event_weights, repeats=repeats)
                return InnerCut(split.training, [replace(split.held_out, moments=None)])
            case Order.NONE:
                return _without_order(catalogue, events, settings, new_items=new_items)
    except InvalidInput:
        # Too few events to hold any out.
        return None


def _by_time(events: EventTable, settings: BuildSettings, repeats: bool) -> InnerCut | None:
    blending = settings.blending
    cut = cut_at_share(events, 1 - blending.share)
    training = events.before(cut)
    parts = [hold_out(events, settings.event_weights, cut=cut, reveal=reveal, repeats=repeats) for reveal in (blending.reveal, 0.0)]
    return InnerCut(training, parts) if len(training) and all(len(part) for part in parts) else None


def _without_order(catalogue: Catalogue, events: EventTable, settings: BuildSettings, *, new_items: bool) -> InnerCut:
    rng, weights, share = np.random.default_rng(settings.seed), settings.event_weights, settings.blending.share
    events = events.where(catalogue.rows_of(events.item) >= 0)
    cold = draw_cold_items(events, NEW_ITEMS, rng, fewest=FEWEST_OF_NEW) if new_items else np.zeros(0, dtype=np.uint32)
    is_cold = np.isin(events.item, cold)
    known = events.where(~is_cold)
    halves = rng.random(int(events.person.max()) + 1) < 0.5
    regions = item_regions(catalogue, known, settings)
    splits = [drawn_share(known.where(halves[known.person]), share, rng, weights=weights)]
    try:
        splits.append(clustered(known.where(~halves[known.person]), regions, share, rng, weights=weights))
    except InvalidInput:
        # A catalogue of one region has no other to be asked for.
        splits = [drawn_share(known, share, rng, weights=weights)]
    training, parts = _joined(splits), [split.held_out for split in splits]
    if len(cold):
        cut = int(training.at.max(initial=0))
        parts.append(held_out_of(usable(training), usable(events.where(is_cold)), weights, cut=cut, candidates=cold))
    return InnerCut(training, [part for part in parts if len(part)])


def _joined(splits: list[Split]) -> EventTable:
    tables = [split.training for split in splits]
    names = ("person", "item", "type", "value", "at", "consent")
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in names}
    return EventTable.sorted(**columns, sequence=np.arange(len(columns["person"]), dtype=np.int64))


def item_regions(catalogue: Catalogue, events: EventTable, settings: BuildSettings) -> npt.NDArray[np.int64]:
    """Region of each item number, shape (largest number + 1,): items consumed by the same people share one, those without events too."""
    matrix = positive_part(interaction_matrix(events, catalogue, settings))
    learnt = np.flatnonzero(np.bincount(matrix.indices, minlength=catalogue.n))
    regions = np.zeros(int(catalogue.numbers.max(initial=0)) + 1, dtype=np.int64)
    for place, block in enumerate(like_items(sp.csr_array(matrix[:, learnt]), size=REGION, seed=settings.seed), 1):
        regions[catalogue.numbers[learnt[block]]] = place
    return regions
