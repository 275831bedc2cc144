"""The store: catalogue, events, people's state and the served record, in one SQLite file or one PostgreSQL database.

Open it with `open_store`; `Store` documents every operation. What a write method returned is durable.
"""

from __future__ import annotations

from recommender.store.event_rows import NOTHING_SAID, EventRow, row_of
from recommender.store.expiry import DayRows, Expiry
from recommender.store.forgetting import Quiet
from recommender.store.places import migrate_store, store_exists
from recommender.store.records import (
    Change,
    Decision,
    EventOutcome,
    EventStatus,
    Lease,
    Linked,
    PersonRead,
    StoreCounts,
    StoredItem,
    Upserted,
    UpsertStatus,
)
from recommender.store.schema import SCHEMA_VERSION
from recommender.store.store import Store, open_store

__all__ = [
    "NOTHING_SAID",
    "SCHEMA_VERSION",
    "Change",
    "DayRows",
    "Decision",
    "EventOutcome",
    "EventRow",
    "EventStatus",
    "Expiry",
    "Lease",
    "Linked",
    "PersonRead",
    "Quiet",
    "Store",
    "StoreCounts",
    "StoredItem",
    "UpsertStatus",
    "Upserted",
    "migrate_store",
    "open_store",
    "row_of",
    "store_exists",
]
