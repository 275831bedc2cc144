"""What was shown: impressions read off events, and whom they are judged on, each among the items of its own impression."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from eval.datasets.impressions import Impressions
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.judging import HeldOut
from recommender.judging.cuts import usable
from recommender.people import HISTORY_LIMIT, History, empty_history
from recommender.placements import Placement
from recommender.profile import EventWeights

TOGETHER_US = 60_000_000
"""Items seen by one person, each at most so long (µs) after the one before, were shown together."""
TAKEN_WITHIN_US = 30 * 60_000_000
"""An item was taken up because it was shown when the person acted on it at most so long (µs) after."""
MINUTE_US = 60_000_000
MOST = 5_000
"""Candidates that a placement may ask for."""


def impressions_of(events: EventTable, weights: EventWeights) -> Impressions:
    """The impressions among `events`, of those whose consent allows personalisation and measurement.

    Items that one person saw in a row, no more than a minute apart, were shown together. One of them counts as taken up where the
    person did something of positive weight with it within 30 minutes; what was shown several times before that, the last time alone.
    An impression's time is that of its first item. Raises `InvalidInput` where nothing was shown.
    """
    allowed = events.consenting(Consent.PERSONALISE | Consent.MEASURE)
    shows = allowed.where(allowed.type == EventType.IMPRESSION)
    if not len(shows):
        raise InvalidInput("events", "no impression", "events of type impression, which say what was shown")
    apart = np.diff(shows.at, prepend=shows.at[0]) > TOGETHER_US
    starts = np.flatnonzero(np.append(True, (shows.person[1:] != shows.person[:-1]) | apart[1:]))
    taken = _taken_up(shows, allowed.where(weights.table()[allowed.type] > 0))
    order = np.argsort(shows.at[starts], kind="stable")
    sizes = np.diff(starts, append=len(shows))[order]
    offsets = np.append(0, np.cumsum(sizes))
    rows = np.repeat(starts[order] - offsets[:-1], sizes) + np.arange(len(shows))
    return Impressions(shows.person[starts[order]], shows.at[starts[order]], offsets, shows.item[rows], taken[rows])


def _taken_up(shows: EventTable, acts: EventTable) -> npt.NDArray[np.bool_]:
    """Which of `shows` each act followed within half an hour as the last show of its item to its person, shape as `shows`."""
    person, item, at = (np.append(getattr(shows, name), getattr(acts, name)) for name in ("person", "item", "at"))
    is_act = np.arange(len(at)) >= len(shows)
    # At one moment the show comes first.
    order = np.lexsort((is_act, at, item, person))
    show_places = np.flatnonzero(~is_act[order])
    act_places = np.flatnonzero(is_act[order])
    before = np.searchsorted(show_places, act_places) - 1
    act, show = order[act_places[before >= 0]], order[show_places[before[before >= 0]]]
    same = (person[act] == person[show]) & (item[act] == item[show]) & (at[act] - at[show] <= TAKEN_WITHIN_US)
    taken = np.zeros(len(shows), dtype=np.bool_)
    taken[show[same]] = True
    return taken


def with_shows(events: EventTable, impressions: Impressions) -> EventTable:
    """`events` and, beside them, an event of type impression for each shown item, as the store has them."""
    sizes = np.diff(impressions.offsets)
    shown = len(impressions.item)
    return EventTable.sorted(
        np.append(events.person, np.repeat(impressions.person, sizes)).astype(np.uint32),
        np.append(events.item, impressions.item).astype(np.uint32),
        np.append(events.type, np.full(shown, EventType.IMPRESSION)).astype(np.uint8),
        np.append(events.value, np.full(shown, np.nan)).astype(np.float32),
        np.append(events.at, np.repeat(impressions.at, sizes)).astype(np.int64),
        np.append(events.consent, np.full(shown, Consent.ALL)).astype(np.uint8),
        np.arange(len(events) + shown, dtype=np.int64),
    )


def has_order(impressions: Impressions) -> npt.NDArray[np.bool_]:
    """Which impressions can be ordered rightly or wrongly, shape (m,): something was taken up and something not."""
    taken = np.add.reduceat(impressions.clicked.astype(np.int64), impressions.offsets[:-1])
    return (taken > 0) & (taken < np.diff(impressions.offsets))


def held_out_impressions(impressions: Impressions, places: npt.NDArray[np.intp], events: EventTable, cut: int) -> HeldOut:
    """The impressions at `places`, each with an order, as queries: what was taken up is to be found among what was shown.

    The history is what the person did before the impression, and "now" the minute in which it began. `cut`: µs, for the whole.
    """
    histories = usable(events).by_person()
    known = [_history(histories, int(impressions.person[place]), int(impressions.at[place])) for place in places]
    parts = [slice(int(impressions.offsets[place]), int(impressions.offsets[place + 1])) for place in places]
    return HeldOut(
        people=impressions.person[places],
        histories=known,
        consumed=[BitMap(history["item"]) for history in known],
        # What was shown was not kept from the person then either.
        dismissed=[BitMap() for _ in places],
        targets=[np.unique(impressions.item[part][impressions.clicked[part]]) for part in parts],
        cut=cut,
        candidates=[np.unique(impressions.item[part]) for part in parts],
        moments=impressions.at[places] // MINUTE_US * MINUTE_US,
    )


def _history(histories: Mapping[int, History], person: int, at: int) -> History:
    history = histories.get(person, empty_history())
    return history[: int(np.searchsorted(history["at"], at))][-HISTORY_LIMIT:]


def for_shown(placement: Placement, held_out: HeldOut) -> Placement:
    """`placement` with all that was shown ranked, had before or not, by every source and within the ranker's reach."""
    assert held_out.candidates is not None
    most = min(max(placement.candidates, *map(len, held_out.candidates)), MOST)
    reach = max(placement.ranker_depth, most) if placement.ranker_depth else 0
    return placement.model_copy(update={"repeat": "allowed", "candidates": most, "ranker_depth": reach})
