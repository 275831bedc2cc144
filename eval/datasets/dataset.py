"""What every reader returns: items, events, and the test part that its publishers fixed, where they did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.datasets.impressions import Impressions
from recommender.distinct import distinct
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.items import Item
from recommender.order import Order

UNDATED = 1_577_836_800_000_000
"""Stands for the time of events without one: 2020-01-01T00:00Z in µs since 1970."""

SECOND_US = 1_000_000


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory, checked on construction.

    `items`: the number of `items[i]` is i. `events`: the training part, or all events where no `test` is given; person numbers are
    places in `people_ids`, item numbers places in `items`. `test`: the part that the publishers hold out. `candidates`: ascending
    numbers of the items that may be ranked in the test, shape (c,), None for all. `impressions`: what was shown and not clicked, where
    the set says so. `note`: origin, licence, and where the full set is downloaded. Raises `InvalidInput` where these do not fit together.
    """

    name: str
    items: list[Item]
    events: EventTable
    order: Order
    people_ids: list[str]
    note: str
    test: EventTable | None = None
    candidates: npt.NDArray[np.uint32] | None = None
    impressions: Impressions | None = None

    def __post_init__(self) -> None:
        if len({item.id for item in self.items}) != len(self.items):
            raise InvalidInput("items", "an id twice", "one item for each id")
        tables = {"events": self.events, "test": self.test, "impressions": self.impressions}
        for name, table in tables.items():
            if table is None:
                continue
            _check_numbers(table.person, len(self.people_ids), f"{name}.person")
            _check_numbers(table.item, len(self.items), f"{name}.item")
        if self.candidates is not None:
            _check_numbers(self.candidates, len(self.items), "candidates")
            if not len(self.candidates) or (np.diff(self.candidates.astype(np.int64)) <= 0).any():
                raise InvalidInput("candidates", f"{len(self.candidates)} numbers", "at least one number, ascending, none twice")


def undated_events(person: npt.NDArray[np.int64], item: npt.NDArray[np.int64]) -> EventTable:
    """One click of `person` on `item`, both of shape (m,) and in any order, for each different pair; of `Order.NONE`."""
    pairs = distinct(person << 32 | item)
    return clicks(pairs >> 32, pairs & 0xFFFFFFFF, np.full(len(pairs), UNDATED, dtype=np.int64))


def clicks(person: npt.NDArray[np.int64], item: npt.NDArray[np.int64], at: npt.NDArray[np.int64]) -> EventTable:
    """A click of `person` on `item` at `at` (µs), all of shape (m,), in order of arrival; clicks of one set all say the same of taste."""
    return events_of_type(np.full(len(person), EventType.CLICK, dtype=np.uint8), person, item, at)


def events_of_type(
    type: npt.NDArray[np.uint8], person: npt.NDArray[np.int64], item: npt.NDArray[np.int64], at: npt.NDArray[np.int64]
) -> EventTable:
    """Events of these types, of people who consented to all, without values; columns of shape (m,), in order of arrival."""
    return EventTable.sorted(
        person.astype(np.uint32),
        item.astype(np.uint32),
        type,
        np.full(len(person), np.nan, dtype=np.float32),
        at,
        np.full(len(person), Consent.ALL, dtype=np.uint8),
        np.arange(len(person), dtype=np.int64),
    )


def _check_numbers(numbers: npt.NDArray[np.uint32], count: int, field: str) -> None:
    if len(numbers) and int(numbers.max()) >= count:
        raise InvalidInput(field, int(numbers.max()), f"numbers below {count}")
