"""What is known of when events happened, read off the events themselves."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from recommender.event_table import EventTable


class Order(StrEnum):
    """What times can be gone by."""

    TIME = "time"
    """Real times."""
    SEQUENCE = "sequence"
    """Each person's order alone; across people times mean nothing."""
    NONE = "none"
    """Nothing: equal times mean an unknown order."""


def order_of(events: EventTable) -> Order:
    """What the times of `events` tell: NONE where most people did everything at one time, SEQUENCE where most people began at the very
    same moment (as when places in a list stand for times), otherwise TIME. People with one event alone say nothing."""
    if not len(events):
        return Order.TIME
    starts = np.flatnonzero(np.append(True, events.person[1:] != events.person[:-1]))
    ends = np.append(starts[1:], len(events)) - 1
    several = ends > starts
    if not several.any():
        return Order.TIME
    first, last = events.at[starts[several]], events.at[ends[several]]
    if np.mean(first == last) > 0.5:
        return Order.NONE
    _, together = np.unique(first, return_counts=True)
    # A handful of people may well begin together.
    return Order.SEQUENCE if together.max() > max(0.5 * len(first), 10) else Order.TIME
