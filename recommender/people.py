"""What is known of one person: the recent history, everything ever consumed or dismissed, and what was shown.

A generation holds no person (every source is a function of the recent history), so this is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.events import Consent

HISTORY_DTYPE = np.dtype([("item", "<u4"), ("type", "u1"), ("value", "<f4"), ("at", "<i8")])
"""One acted event: item number, `EventType`, value (portion for read and watch; NaN when absent), time in µs since 1970."""

SEEN_DTYPE = np.dtype([("item", "<u4"), ("count", "<u2"), ("at", "<i8")])
"""How often an item was seen by the person, and when last (µs since 1970)."""

HISTORY_LIMIT = 200
"""Newest events kept per person; older ones remain in `consumed` and `dismissed`."""

SEEN_LIMIT = 500
"""Items with a seen-count kept per person, most recently seen first to stay."""

History = npt.NDArray[np.void]
Seen = npt.NDArray[np.void]


def empty_history() -> History:
    """A history of shape (0,)."""
    return np.zeros(0, dtype=HISTORY_DTYPE)


def nothing_seen() -> Seen:
    """Seen-counts of shape (0,)."""
    return np.zeros(0, dtype=SEEN_DTYPE)


@dataclass(frozen=True, eq=False)
class Person:
    """State of one user or session.

    `history`, shape (h ≤ 200,), `HISTORY_DTYPE`, oldest first. `consumed` and `dismissed` are complete sets of item numbers.
    `seen`, shape (s ≤ 500,), `SEEN_DTYPE`, in no order. `consent` is what the person last said
    (by the event's time), or the deployment's default as of the last event where nothing was ever said.
    """

    history: History
    consumed: BitMap
    dismissed: BitMap
    seen: Seen
    consent: Consent

    @classmethod
    def unknown(cls, consent: Consent = Consent.ALL) -> Person:
        """Someone of whom nothing is known yet."""
        return cls(empty_history(), BitMap(), BitMap(), nothing_seen(), consent)
