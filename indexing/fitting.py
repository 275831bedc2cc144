"""A whole fit: what sources learn, and how they are blended, each from events that the other has not seen (D14).

The blend has to be learnt on what the sources were not fitted on. So the events are cut first, inside what may be learnt from: an
inner fit sees what lies before, the blend is learnt on what people did after, and then the sources are fitted on all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.blending.blending import Learnt, blend_of_cuts, gather_drawn
from indexing.blending.fading import Fit, chosen_decays
from indexing.blending.samples import Samples
from indexing.interactions import interaction_matrix, positive_part
from indexing.learn.local_ridge import like_items
from indexing.learn.sequence import settings_of_parts
from indexing.learning import all_but_sequence, sequence_beside
from indexing.progress import Part, untold, within
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.judging import HeldOut, cut_at_share, hold_out
from recommender.judging.cold import draw_cold_items
from recommender.judging.cuts import SPARE, Split, drawn_people, held_out_of, leave_last_out, of_later_people, usable
from recommender.judging.drawn import clustered, drawn_share
from recommender.order import Order, order_of
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking.blend import AS_SET
from recommender.vectors import VectorIndex

NEW_ITEMS, FEWEST_OF_NEW = 0.05, 3
"""Share of the items that an inner cut makes new, of those with so many people at least."""
REGION = 100
"""Items of one region at the most; unordered histories are cut along regions of like items."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fitted:
    """Contents with the blend that goes with them, and how that was learnt: None where there was too little to learn one from.

    `samples`: what it was learnt from, under `decays`.
    """

    contents: Contents
    learnt: Learnt | None
    samples: tuple[Samples, ...] = ()
    decays: npt.NDArray[np.float32] = field(default_factory=lambda: AS_SET)


@dataclass(frozen=True, eq=False)
class InnerCut:
    """`training`: what the inner fit sees. `parts`: whom the blend is learnt on, one group for each way in which it was cut.
    `before`: all that lies before what was held out, new items too."""

    training: EventTable
    parts: list[HeldOut]
    before: EventTable


def fit(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: Flags,
    events: EventTable,
    settings: BuildSettings,
    placement: Placement,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    part: Part = untold,
) -> Fitted:
    """Learn the blend on inner cuts of `events`, then everything else on all of them. `part` is told of each learner."""
    cuts = inner_cuts(catalogue, events, settings, new_items=bool(has_vector.any()), repeats=placement.repeat == "allowed")
    of_parts, fits = settings_of_parts(events, catalogue, settings), []
    everything, whole = partial(all_but_sequence, catalogue, vectors, has_vector, events, settings, part=within(part, "fit")), None
    for done, inner in enumerate(cuts, 1):
        of_inner = within(part, f"inner fit {done}")
        sequence = sequence_beside(inner.training, catalogue, of_parts, part=of_inner)
        others = all_but_sequence(catalogue, vectors, has_vector, inner.training, of_parts, part=of_inner)
        if done == len(cuts):
            # The sequence model takes longer than all else, and another core would stand idle.
            whole = everything()
        fits.append(Fit(Recommender.unpublished(replace(others, sequence=sequence.result()), of_parts), inner.parts))
        progress(done, len(cuts) + 2)
    # The first cut is the newest, so that its model knows most of what there is to know.
    earlier = fits[0].engine.contents.sequence if fits else None
    sequence = sequence_beside(events, catalogue, settings, earlier=earlier, part=within(part, "fit"))
    with part("fading"):
        decays = chosen_decays(fits, order_of(events.consenting(Consent.TRAIN)), placement, settings)
    with part("samples"):
        samples = [gather_drawn(fit.engine, fit.parts, placement, settings.blending, seed=settings.seed, decays=decays) for fit in fits]
    # The inner fits are not needed any more, and what follows wants the room.
    fits.clear()
    with part("blend"):
        learnt = blend_of_cuts(samples, settings.blending, seed=settings.seed, decays=decays)
    progress(len(cuts) + 1, len(cuts) + 2)
    contents = replace(whole or everything(), sequence=sequence.result(), blend=learnt.blend if learnt else None)
    progress(len(cuts) + 2, len(cuts) + 2)
    return Fitted(contents, learnt, tuple(samples), decays)


def inner_cuts(
    catalogue: Catalogue, events: EventTable, settings: BuildSettings, *, new_items: bool, repeats: bool = False
) -> list[InnerCut]:
    """The cut that the data's shape asks for, and as long as its people are few, the same one of what lies before; none without any.

    With times, a cut sees but the people who were there after it, and few of them teach little; what lies before can be cut again
    and again (`blending.cuts`). Other cuts see everybody.
    """
    cuts: list[InnerCut] = []
    people, blending = 0, settings.blending
    while len(cuts) < blending.cuts and people < blending.enough:
        inner = inner_cut(catalogue, events, settings, new_items=new_items, repeats=repeats)
        if inner is None:
            break
        cuts.append(inner)
        # Most people stand in several parts, and are few all the same.
        people += max(len(part) for part in inner.parts)
        if order_of(events.consenting(Consent.TRAIN)) is not Order.TIME:
            break
        events = inner.before
    return cuts


def inner_cut(
    catalogue: Catalogue, events: EventTable, settings: BuildSettings, *, new_items: bool, repeats: bool = False
) -> InnerCut | None:
    """The cut that the data's shape asks for; None where there is nothing to cut.

    With times, the newest share of the events is held out, several times over: with more or less of it revealed, as while a generation
    serves and people go on, and without, when histories are stale. With order alone, each person's last item. Without either, a random
    share for half of the people and whole regions of the catalogue for the other half, since a random share alone favours what merely
    remembers. With `new_items`, for which something must speak that is not behaviour, also a few items altogether, but for order alone.
    With `repeats` and an order, what people had before is held out as well where they took it up again.
    """
    events = events.consenting(Consent.TRAIN)
    try:
        match order_of(events):
            case Order.TIME:
                return _by_time(catalogue, events, settings, new_items, repeats)
            case Order.SEQUENCE:
                split = leave_last_out(events, weights=settings.event_weights, repeats=repeats)
                return InnerCut(split.training, [replace(split.held_out, moments=None)], split.training)
            case Order.NONE:
                return _without_order(catalogue, events, settings, new_items=new_items)
    except InvalidInput:
        # Too few events to hold any out.
        return None


def _by_time(catalogue: Catalogue, events: EventTable, settings: BuildSettings, new_items: bool, repeats: bool) -> InnerCut | None:
    blending, weights = settings.blending, settings.event_weights
    cut = cut_at_share(events, 1 - blending.share)
    before = events.before(cut)
    cold = _drawn_new(catalogue, before, settings, new_items)
    known = events.where(~np.isin(events.item, cold))
    training = known.before(cut)
    most = SPARE * blending.people
    later = of_later_people(known, cut, most, seed=settings.seed)
    parts = [hold_out(later, weights, cut=cut, reveal=reveal, repeats=repeats) for reveal in blending.reveals]
    if not len(training) or not all(len(part) for part in parts):
        return None
    if len(cold):
        of_new = before.where(np.isin(before.item, cold))
        people = drawn_people(of_new.person, most, seed=settings.seed)
        earlier, taken_up = (table.where(np.isin(table.person, people)) for table in (training, of_new))
        new = held_out_of(usable(earlier), usable(taken_up), weights, cut=cut, candidates=cold)
        # Who has a new item is anybody who was ever there; they are not to outweigh those who are there now.
        as_many = max(len(part) for part in parts)
        rng = np.random.default_rng(settings.seed)
        parts.append(new if len(new) <= as_many else new.chosen(np.sort(rng.choice(len(new), as_many, replace=False))))
    return InnerCut(training, [part for part in parts if len(part)], before)


def _drawn_new(catalogue: Catalogue, events: EventTable, settings: BuildSettings, new_items: bool) -> npt.NDArray[np.uint32]:
    """Items to be treated as new, shape (c,); none where none are wanted or no item has people enough."""
    if not new_items:
        return np.zeros(0, dtype=np.uint32)
    there = events.where(catalogue.rows_of(events.item) >= 0)
    try:
        return draw_cold_items(there, NEW_ITEMS, np.random.default_rng(settings.seed), fewest=FEWEST_OF_NEW)
    except InvalidInput:
        return np.zeros(0, dtype=np.uint32)


def _without_order(catalogue: Catalogue, events: EventTable, settings: BuildSettings, *, new_items: bool) -> InnerCut:
    rng, weights, share = np.random.default_rng(settings.seed), settings.event_weights, settings.blending.share
    events = events.where(catalogue.rows_of(events.item) >= 0)
    cold = _drawn_new(catalogue, events, settings, new_items)
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
    return InnerCut(training, [part for part in parts if len(part)], training)


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
