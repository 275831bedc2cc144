"""Event tables from a few rows, and what a cut made of them, by person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.judging import HeldOut

Row = tuple[int, int, EventType, int]


def table(*rows: Row, consent: list[Consent] | Consent = Consent.ALL) -> EventTable:
    """Events as (person, item, type, time), which arrive in the order given."""
    person, item, kind, at = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    return EventTable.sorted(
        np.array(person, dtype=np.uint32),
        np.array(item, dtype=np.uint32),
        np.array(kind, dtype=np.uint8),
        np.full(len(rows), np.nan, dtype=np.float32),
        np.array(at, dtype=np.int64),
        np.broadcast_to(np.array(consent, dtype=np.uint8), len(rows)),
        np.arange(len(rows), dtype=np.int64),
    )


def rows_of(events: EventTable) -> list[tuple[int, int]]:
    """Person and item of each event, in the table's order."""
    return list(zip(events.person.tolist(), events.item.tolist(), strict=True))


def targets(held: HeldOut) -> dict[int, list[int]]:
    return {int(person): items.tolist() for person, items in zip(held.people, held.targets, strict=True)}


def known(held: HeldOut) -> dict[int, list[int]]:
    return {int(person): history["item"].tolist() for person, history in zip(held.people, held.histories, strict=True)}


def strongest_per_key(
    keys: npt.NDArray[np.int64], weights: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """One event for each distinct key (person and item), from events of shape (m,) that are in order of time.

    Returns the place of each key's newest event, ascending, and its weight: the strongest that any of the key's events has,
    unless the newest one is negative, which then stands (someone who disliked it in the end dislikes it).
    """
    distinct, from_end = np.unique(keys[::-1], return_index=True)
    newest = len(keys) - 1 - from_end
    strongest = np.full(len(distinct), -np.inf, dtype=np.float32)
    np.maximum.at(strongest, np.searchsorted(distinct, keys), weights)
    strongest = np.where(weights[newest] < 0, weights[newest], strongest)
    order = np.argsort(newest)
    return newest[order], strongest[order]
