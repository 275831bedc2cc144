"""How a person's state follows from what they did: events in, new state out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.events import CONSUMING, DISMISSING, WITH_PORTION, Consent, Event, EventType
from recommender.people import HISTORY_DTYPE, HISTORY_LIMIT, SEEN_DTYPE, SEEN_LIMIT, History, Person
from recommender.times import MISSING_TIME

_SEEN_COUNT_LIMIT = np.iinfo(np.uint16).max
_CONSUMING = np.array([kind in CONSUMING for kind in range(max(EventType) + 1)])
_OPINION = np.array([kind in DISMISSING or kind == EventType.LIKE for kind in range(max(EventType) + 1)])

HistoryRow = tuple[int, int, float, int]


def history_row(event: Event, item: int, at: int) -> HistoryRow:
    """What the history keeps of `event`: for read and watch the portion, for other types the value; NaN where absent.

    The value of a read or watch, such as a rating or a price, is no portion, and must not be taken for one.
    """
    value = event.portion if event.type in WITH_PORTION else event.value
    return item, int(event.type), float("nan") if value is None else value, at


def after_events(person: Person, arrived: list[HistoryRow], consent: Consent) -> Person:
    """State of `person` after the events that `arrived`, in the order of arrival, all with consent to personalise.

    Events take their place in the history by time, then by arrival, however late they come. Of an item's likes, dislikes and
    hides the newest decides whether it is dismissed. `consent` is the person's own from now on.
    """
    rows = _rows(arrived)
    impressions = rows["type"] == EventType.IMPRESSION
    acted = rows[~impressions]
    merged = np.concatenate([person.history, acted]) if len(acted) else person.history
    # Stable: what arrived earlier stays ahead of what has the same time.
    merged = merged[np.argsort(merged["at"], kind="stable")] if len(acted) else merged
    consumed = acted["item"][_CONSUMING[acted["type"]]]
    return Person(
        history=merged[-HISTORY_LIMIT:],
        consumed=person.consumed | BitMap(consumed) if len(consumed) else person.consumed,
        dismissed=_dismissed(person, acted, merged),
        seen=_seen(person.seen, rows[impressions]) if impressions.any() else person.seen,
        consent=consent,
    )


def _rows(arrived: list[HistoryRow]) -> History:
    with np.errstate(over="ignore"):
        return np.array(arrived, dtype=HISTORY_DTYPE)


def _dismissed(person: Person, acted: History, merged: History) -> BitMap:
    spoken_of = set(acted["item"][_OPINION[acted["type"]]].tolist())
    if not spoken_of:
        return person.dismissed
    # What fell out of a full history is unknown: a like from before that may be older than a dismissal.
    known_from = int(person.history["at"][0]) if len(person.history) == HISTORY_LIMIT else MISSING_TIME
    opinions = merged[_OPINION[merged["type"]]]
    newest = dict(zip(opinions["item"].tolist(), zip(opinions["type"].tolist(), opinions["at"].tolist(), strict=True), strict=True))
    dismissed = BitMap(person.dismissed)
    for item in spoken_of:
        kind, at = newest[item]
        if kind in DISMISSING:
            dismissed.add(item)
        elif at >= known_from:
            dismissed.discard(item)
    return dismissed


def _seen(seen: npt.NDArray[np.void], impressions: History) -> npt.NDArray[np.void]:
    items, index = np.unique(np.concatenate([seen["item"], impressions["item"]]), return_inverse=True)
    once = np.ones(len(impressions), dtype=np.int64)
    counted = np.bincount(index, weights=np.concatenate([seen["count"], once]), minlength=len(items))
    latest = np.full(len(items), MISSING_TIME, dtype=np.int64)
    np.maximum.at(latest, index, np.concatenate([seen["at"], impressions["at"]]))
    result = np.zeros(len(items), dtype=SEEN_DTYPE)
    result["item"] = items
    result["count"] = np.minimum(counted, _SEEN_COUNT_LIMIT)
    result["at"] = latest
    if len(result) > SEEN_LIMIT:
        result = result[np.argsort(latest, kind="stable")[-SEEN_LIMIT:]]
    return result
