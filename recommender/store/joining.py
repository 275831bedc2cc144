"""How the states of two people become one, on the bytes that the store keeps.

This happens once in the life of a session, so that plain arrays do; what is done for each event lies in `profiles`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.events import DISMISSING, EventType
from recommender.people import HISTORY_DTYPE, HISTORY_LIMIT, SEEN_DTYPE, SEEN_LIMIT, History
from recommender.store.profiles import State, bitmap
from recommender.times import MISSING_TIME

_OPINION = sorted(map(int, DISMISSING | {EventType.LIKE}))
_COUNT_LIMIT = np.iinfo(SEEN_DTYPE["count"]).max


def joined(state: State, other: State) -> State:
    """What `state` is after somebody's `other` state has joined it.

    Histories become one by time, of which the newest stay; of what has the same time that of `state` comes first. Sets are united,
    and seen items counted together. Of an item's likes, dislikes and hides the newest of both decides whether it is dismissed.
    """
    histories = [np.frombuffer(each.history, dtype=HISTORY_DTYPE) for each in (state, other)]
    both = np.concatenate(histories)
    both = both[np.argsort(both["at"], kind="stable")]
    consumed = bitmap(state.consumed) | bitmap(other.consumed)
    return State(
        history=both[-HISTORY_LIMIT:].tobytes(),
        consumed=consumed.serialize() if consumed else b"",
        dismissed=_dismissed((state, other), histories, both),
        seen=_seen(np.concatenate([np.frombuffer(each.seen, dtype=SEEN_DTYPE) for each in (state, other)])),
    )


def _dismissed(states: tuple[State, State], histories: list[History], both: History) -> bytes:
    dismissed = bitmap(b"")
    # Since when a history holds every like, for each item that somebody dismissed: see `profiles` on what fell out of a full one.
    known_from: dict[int, int] = {}
    for state, history in zip(states, histories, strict=True):
        since = int(history["at"][0]) if len(history) == HISTORY_LIMIT else MISSING_TIME
        for item in bitmap(state.dismissed):
            dismissed.add(item)
            known_from[item] = max(known_from.get(item, MISSING_TIME), since)
    newest = {int(row["item"]): row for row in both[np.isin(both["type"], _OPINION)]}
    for item, since in known_from.items():
        said = newest.get(item)
        if said is not None and said["type"] == EventType.LIKE and said["at"] >= since:
            dismissed.discard(item)
    return dismissed.serialize() if dismissed else b""


def _seen(both: npt.NDArray[np.void]) -> bytes:
    items, places = np.unique(both["item"], return_inverse=True)
    counts, latest = np.zeros(len(items), dtype=np.int64), np.full(len(items), MISSING_TIME)
    np.add.at(counts, places, both["count"])
    np.maximum.at(latest, places, both["at"])
    seen = np.zeros(len(items), dtype=SEEN_DTYPE)
    seen["item"], seen["count"], seen["at"] = items, np.minimum(counts, _COUNT_LIMIT), latest
    return seen[np.lexsort((items, latest))[-SEEN_LIMIT:]].tobytes()
