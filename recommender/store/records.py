"""What the store hands out and takes in beside the domain's own items, events and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.errors import InvalidInput
from recommender.events import Subject
from recommender.items import Item, ItemState
from recommender.people import Person

DECISION_ID_BYTES = 16


@dataclass(frozen=True, eq=False)
class StoredItem:
    """An item as it is kept: its permanent `number`, when this version was stored, and its newest change's sequence value."""

    item: Item
    number: int
    state: ItemState
    updated_at: datetime
    change: int


class UpsertStatus(Enum):
    """What became of an item. An item that had been deleted and comes back is CREATED, with its old number."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Upserted:
    """What became of one given item.

    `text_changed`: created, or something changed that an embedding or the models' view of it rests on: kind, title, text,
    categories, tags or own embedding.
    """

    item_id: str
    number: int
    status: UpsertStatus
    text_changed: bool


class EventStatus(Enum):
    """What became of an event; sending a REJECTED one again unchanged will not help."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class EventOutcome(NamedTuple):
    """What became of one given event; `message` says why it was rejected."""

    event_id: str
    status: EventStatus
    message: str = ""


@dataclass(frozen=True, eq=False)
class PersonRead:
    """A person's state, and the newest catalogue change's sequence value in the same snapshot (0 before the first).

    `known`: there is an event of theirs, or somebody was linked to them. `said`: they once said something about consent; where they
    never did, the deployment's default of today holds for them, whatever `person.consent` was when their last event came.
    `linked`: who was asked for is a session that was linked to a user, or a user who was merged into another, and all this is that user's.
    """

    person: Person
    known: bool
    said: bool
    change: int
    linked: bool = False


@dataclass(frozen=True)
class Linked:
    """What linking somebody came to: `person` is who they are now, at the end of all links; `new` is off where they were before."""

    person: Subject
    new: bool


@dataclass(frozen=True)
class Change:
    """The newest change of one item.

    `first_change`: the change with which the item's present life began, which is the one that made it, or the newest that
    brought it back after a deletion. `valid_from` and `valid_to` in µs since 1970, `MISSING_TIME` where open.
    """

    sequence: int
    number: int
    state: ItemState
    first_change: int
    valid_from: int
    valid_to: int

    @property
    def is_deletion(self) -> bool:
        """Whether the item is gone."""
        return self.state is ItemState.DELETED


@dataclass(frozen=True, eq=False)
class Decision:
    """The served record of one answer: all that is needed to say later why it was given.

    `id`: 16 bytes. `query`: the resolved query, opaque to the store. `seed`: 0 ≤ seed < 2⁶⁴. `change`: the catalogue change
    that was applied. `numbers` (uint32), `sources` (uint8) and `probabilities` (float32): the ranked list, each of shape (n,).
    Raises `InvalidInput` naming the field.
    """

    id: bytes
    at: datetime
    subject: Subject | None
    placement: str
    placement_version: str
    generation_id: str
    profile: str
    basis: int
    seed: int
    change: int
    query: bytes
    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.id) != DECISION_ID_BYTES:
            raise InvalidInput("decision.id", f"{len(self.id)} bytes", f"{DECISION_ID_BYTES} bytes")
        if not 0 <= self.seed < 2**64:
            raise InvalidInput("decision.seed", self.seed, "a number from 0 to 2**64 - 1")
        shapes = {self.numbers.shape, self.sources.shape, self.probabilities.shape}
        if len(shapes) != 1 or self.numbers.ndim != 1:
            raise InvalidInput("decision.numbers", f"shapes {sorted(shapes)}", "numbers, sources and probabilities of one length")


@dataclass(frozen=True)
class Lease:
    """A turn at the thing `name`, which `owner` took for a `purpose` and may use until `until`. `fence`: 1 for the first taking, one more
    for each next."""

    name: str
    fence: int
    owner: str
    purpose: str
    until: datetime


@dataclass(frozen=True)
class StoreCounts:
    """How much the store holds. Whoever was linked to a user is not counted beside that user."""

    items_live: int
    items_hidden: int
    items_deleted: int
    events: int
    users: int
    sessions: int
    decisions: int
