"""The cuts that a tuning goes by: one to search on, and a fresh one inside what lies before it to compare on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.tuning.refitting import Learning
from eval.tuning.space import Part
from eval.tuning.training_part import TrainingPart
from indexing.fitting import inner_cut
from indexing.twin import sampled
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.judging import HeldOut
from recommender.order import Order, order_of
from recommender.profile import Blending, BuildSettings

SHARE = 0.2
REVEAL = 0.5
NEW = "new items"
"""Items that nobody is learnt from are ranked among themselves; only data with vectors have this cut, and not those with an order alone."""
NAMES = {
    Order.TIME: ("half revealed", "nothing revealed", NEW),
    Order.SEQUENCE: ("last item",),
    Order.NONE: ("random share", "whole regions", NEW),
}
"""How people were held out, by the order of the data, in the order in which `inner_cut` gives them."""


@dataclass(frozen=True, eq=False)
class Cut:
    """People held out in one way, as two halves of about the same size, at least one person each."""

    name: str
    halves: tuple[HeldOut, HeldOut]


@dataclass(frozen=True, eq=False)
class Fold:
    """What may be learnt from, and the cuts that are judged; `description` says how it was cut."""

    learning: Learning
    cuts: tuple[Cut, ...]
    description: str

    def cuts_for(self, part: Part) -> tuple[Cut, ...]:
        """The cuts on which a part can show something: a source that goes by behaviour is silent on new items, and transfer on others."""
        new = tuple(cut for cut in self.cuts if cut.name == NEW)
        known = tuple(cut for cut in self.cuts if cut.name != NEW)
        return {"all": self.cuts, "known": known, "new": new or known}[part.judged_on]


def folds_of(data: TrainingPart, settings: BuildSettings, *, people: int, seed: int) -> tuple[Fold, Fold]:
    """The fold to search on, and the fresh one, whose targets are in the training of the first and so were never searched on.

    At most `people` are judged in each cut. Raises `InvalidInput` where too few would be (`judging.fewest` of the settings, or two).
    """
    searched = _fold(data, data.events, settings, people=people, seed=seed)
    fresh = _fold(data, searched.learning.events, settings, people=people, seed=seed + 1)
    return searched, fresh


def _fold(data: TrainingPart, events: EventTable, settings: BuildSettings, *, people: int, seed: int) -> Fold:
    # As the cut itself reads it: where few consent to training, the order of their events counts.
    names = NAMES[order_of(events.consenting(Consent.TRAIN))]
    cutting = settings.model_copy(update={"blending": Blending(share=SHARE, reveals=(REVEAL, 0.0)), "seed": seed})
    found = inner_cut(data.catalogue, events, cutting, new_items=bool(data.has_vector.any()))
    fewest = max(settings.judging.fewest, 2)
    # The cut of new items comes last and may be missing. Figures of a handful of people would mean nothing.
    named = [] if found is None else list(zip(names, found.parts, strict=False))
    enough = [(name, part) for name, part in named if len(part) >= fewest]
    if found is None or not enough:
        judged = max((len(part) for _, part in named), default=0)
        allowed = f"data of which {fewest} people or more (judging.fewest) can be held out, and again in what is left"
        raise InvalidInput("events", f"{len(events)} events, by which {judged} people can be judged", allowed)
    cuts = []
    for name, part in enough:
        some = sampled(part, people, seed=seed)
        places = np.arange(len(some))
        cuts.append(Cut(name, (some.chosen(places[::2]), some.chosen(places[1::2]))))
    judged_people = ", ".join(f"{cut.name} {sum(map(len, cut.halves))} people" for cut in cuts)
    description = f"{len(found.training)} of {len(events)} events learnt from; judged: {judged_people}"
    return Fold(Learning(data.catalogue, data.vectors, data.has_vector, found.training), tuple(cuts), description)
