"""Cuts in time: what is known before a moment, and what people then did after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.event_table import EventTable
from recommender.events import CONSUMING, DISMISSING, Consent
from recommender.people import HISTORY_LIMIT, History, empty_history
from recommender.profile import EventWeights


@dataclass(frozen=True, eq=False)
class HeldOut:
    """People to judge on: what each had done up to a moment, and which new items each took up after it.

    `people`: numbers, shape (q,). `histories`: q histories as of the moment. `consumed`, `dismissed`: q complete sets.
    `targets`: q arrays of item numbers, at least one each, none consumed before. `cut`: µs since 1970.
    """

    people: npt.NDArray[np.uint32]
    histories: list[History]
    consumed: list[BitMap]
    dismissed: list[BitMap]
    targets: list[npt.NDArray[np.uint32]]
    cut: int

    def __len__(self) -> int:
        return len(self.people)


def cut_at_share(events: EventTable, share: float) -> int:
    """The moment (µs) before which `share`, in (0, 1), of the events lie."""
    return int(np.quantile(events.at, share, method="higher")) if len(events) else 0


def hold_out(events: EventTable, weights: EventWeights, *, cut: int, until: int | None = None, reveal: float = 0.0) -> HeldOut:
    """The people who took up something new in [`cut`, `until`).

    Only events that allow personalisation and measurement count. `reveal`, in [0, 1), is the share of a person's events after
    the cut, rounded down, that are shown as history instead of judged: the generation stays the one of the cut while the
    person goes on, as in a day of serving. Targets are items with positive weight that the person had not touched before.
    """
    usable = events.consenting(Consent.PERSONALISE | Consent.MEASURE).acted()
    if until is not None:
        usable = usable.before(until)
    people, histories, consumed, dismissed, targets = [], [], [], [], []
    table = weights.table()
    for person, history in usable.by_person().items():
        split = int(np.searchsorted(history["at"], cut, side="left"))
        split += int((len(history) - split) * reveal)
        known, later = history[:split], history[split:]
        new = later[(table[later["type"]] > 0) & ~np.isin(later["item"], known["item"])]
        if not len(new):
            continue
        people.append(person)
        histories.append(known[-HISTORY_LIMIT:] if len(known) else empty_history())
        consumed.append(_items_of(known, CONSUMING))
        dismissed.append(_items_of(known, DISMISSING))
        targets.append(np.unique(new["item"]))
    return HeldOut(np.array(people, dtype=np.uint32), histories, consumed, dismissed, targets, cut)


def _items_of(history: History, types: frozenset[int]) -> BitMap:
    return BitMap(history["item"][np.isin(history["type"], list(types))])
