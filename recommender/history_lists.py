"""Lists that a person's own history makes: what they had lately, what they began and did not finish, and what is due once more."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.events import CONSUMING, WITH_PORTION, EventType
from recommender.people import History
from recommender.times import DAY_US


class HistoryList(IntEnum):
    """The numbers are sent.

    RECENT: what was had lately. CONTINUE: what was begun and not finished. AGAIN: what is had again and again, or bought, and due.
    """

    RECENT = 1
    CONTINUE = 2
    AGAIN = 3


BEGUN, FINISHED = np.float32(0.05), np.float32(0.95)
"""Beyond the one portion something counts as begun, from the other on as finished: titles and credits are left out."""

OCCASION_US = DAY_US // 4
"""What lies less than so many µs apart is one occasion: opening a film and finishing it are not twice."""

USUAL_DAYS = 30.0
"""Days between two occasions that somebody is taken to let pass of whom no repetition is known."""

_CONSUMING, _WITH_PORTION = sorted(CONSUMING), sorted(WITH_PORTION)
_WHOLE = (*_WITH_PORTION, int(EventType.PURCHASE))
_OPENED = (int(EventType.VIEW), int(EventType.CLICK))


class Entries(NamedTuple):
    """k items of a list, in its order, all different.

    `numbers`: item numbers, shape (k,), uint32. `at` (µs) and `types`: the newest event that the list goes by, int64 and uint8.
    `portions`: of that event, float32, NaN where it has none. `times`: on how many occasions the item was had, int32. `scores`: how much it
    is due, float32, 0 where the order is that of time.
    """

    numbers: npt.NDArray[np.uint32]
    at: npt.NDArray[np.int64]
    types: npt.NDArray[np.uint8]
    portions: npt.NDArray[np.float32]
    times: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    def at_places(self, places: npt.NDArray[np.int64]) -> Entries:
        """Those at `places`, in their order."""
        numbers, at, types, portions, times, scores = self
        return Entries(numbers[places], at[places], types[places], portions[places], times[places], scores[places])

    def among(self, kept: npt.NDArray[np.bool_]) -> Entries:
        """Those that are `kept`, shape (k,)."""
        return self.at_places(np.flatnonzero(kept))

    def first(self, size: int) -> Entries:
        """The first `size` of them at the most."""
        return self.at_places(np.arange(min(size, len(self.numbers))))


def entries_of(history: History, wanted: HistoryList, now: int) -> Entries:
    """The list that is `wanted` of a `history`, `HISTORY_DTYPE`, oldest first, at `now` (µs)."""
    match wanted:
        case HistoryList.RECENT:
            return _newest(history, history[np.isin(history["type"], _CONSUMING)])
        case HistoryList.CONTINUE:
            return _begun(history)
        case HistoryList.AGAIN:
            return _again(history, now)


def _newest(history: History, events: History) -> Entries:
    """The items of `events`, each at its newest one, newest first; of one time, what came last first."""
    newest_first = events[::-1]
    _, places = np.unique(newest_first["item"], return_index=True)
    standing = newest_first[np.sort(places)]
    occasions = _occasions(history)
    times = np.array([len(occasions.get(int(item), ())) for item in standing["item"]], dtype=np.int32)
    return Entries(
        numbers=standing["item"].astype(np.uint32),
        at=standing["at"].astype(np.int64),
        types=standing["type"].astype(np.uint8),
        portions=np.where(np.isin(standing["type"], _WITH_PORTION), standing["value"], np.float32("nan")).astype(np.float32),
        times=times,
        scores=np.zeros(len(standing), dtype=np.float32),
    )


def _begun(history: History) -> Entries:
    """What was begun and not finished, by the newest event that says how far one came: who starts again what they had finished goes on
    with it."""
    known = history[np.isin(history["type"], _WITH_PORTION) & ~np.isnan(history["value"])]
    made = _newest(history, known)
    return made.among((made.portions > BEGUN) & (made.portions < FINISHED))


def _again(history: History, now: int) -> Entries:
    """What was had on several occasions, or bought, less what one is in the middle of; what is due most first."""
    occasions = _occasions(history)
    bought = set(history["item"][history["type"] == EventType.PURCHASE].tolist())
    unfinished = set(_begun(history).numbers.tolist())
    repeated = {item for item, at in occasions.items() if (len(at) > 1 or item in bought) and item not in unfinished}
    had = history[np.isin(history["item"], np.array(sorted(repeated), dtype=np.uint32)) & _counting(history)]
    made = _newest(history, had)
    scores = due({item: at for item, at in occasions.items() if item in repeated}, now)
    made = made._replace(scores=np.array([scores[int(item)] for item in made.numbers], dtype=np.float32))
    return made.at_places(np.lexsort((made.numbers, -made.at, -made.scores)))


def _counting(history: History) -> npt.NDArray[np.bool_]:
    """Which events are occasions of having had an item, shape (h,).

    What was read, watched or bought counts where it is known to have been finished or nothing is known of that; that an item was opened
    counts only where there is none of these for it, since opening it goes before them.
    """
    whole = np.isin(history["type"], _WHOLE)
    left_off = np.isin(history["type"], _WITH_PORTION) & (history["value"] < FINISHED)
    opened_only = np.isin(history["type"], _OPENED) & ~np.isin(history["item"], history["item"][whole])
    return (whole & ~left_off) | opened_only


def _occasions(history: History) -> dict[int, list[int]]:
    """When each item was had, µs, by its number: occasions, each at its last event, oldest first."""
    occasions: dict[int, list[int]] = {}
    for item, at in zip(*(history[_counting(history)][name].tolist() for name in ("item", "at")), strict=True):
        times = occasions.setdefault(item, [])
        if times and at - times[-1] < OCCASION_US:
            times[-1] = at
        else:
            times.append(at)
    return occasions


def due(occasions: dict[int, list[int]], now: int) -> dict[int, float]:
    """How much each item is due at `now`, occasions a day, by the times (µs, oldest first) at which it was had.

    The modified Poisson–gamma model of Bhagat et al., "Buy It Again: Modeling Repeat Purchase Recommendations", KDD 2018: the rate
    (k + α) / (t + β) of k occasions, where up to twice the usual time between two of them t is twice the distance from the moment at which
    the next one is to be expected, and afterwards the time since the last one. So what was just had is not due, what comes up now is due
    most, and what was given up long ago hardly. The usual time of an item is its own mean, drawn towards the person's, as if there were
    one more interval of that; α = 1 and β is the person's.
    """
    spans = [(times[-1] - times[0], len(times) - 1) for times in occasions.values()]
    repeated = sum(count for _, count in spans)
    usual = max(sum(span for span, _ in spans) / repeated / DAY_US, OCCASION_US / DAY_US) if repeated else USUAL_DAYS
    rates = {}
    for (item, times), (span, count) in zip(occasions.items(), spans, strict=True):
        mean = (span / DAY_US + usual) / (count + 1)
        since = max(now - times[-1], 0) / DAY_US
        waited = since if since >= 2 * mean else 2 * abs(mean - since)
        rates[item] = (len(times) + 1) / (waited + usual)
    return rates
