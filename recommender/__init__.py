"""What items, events, people and feeds are, and how a feed is made."""

from typing import TYPE_CHECKING

from recommender.lazy_names import lazy_names

if TYPE_CHECKING:
    from recommender.engine import Recommender
    from recommender.errors import RecommenderError
    from recommender.events import Consent, Event, EventType, Subject, SubjectKind
    from recommender.feeds import Basis, Feed, Query, Reason, SourceName
    from recommender.generation.folder import Generation, Generations
    from recommender.items import Item, ItemKind, ItemState
    from recommender.placements import Placement, Placements, load_placements
    from recommender.profile import BuildSettings, load_build_settings
    from recommender.settings import Settings, load_settings
    from recommender.store.store import Store, open_store

__all__ = [
    "Basis",
    "BuildSettings",
    "Consent",
    "Event",
    "EventType",
    "Feed",
    "Generation",
    "Generations",
    "Item",
    "ItemKind",
    "ItemState",
    "Placement",
    "Placements",
    "Query",
    "Reason",
    "Recommender",
    "RecommenderError",
    "Settings",
    "SourceName",
    "Store",
    "Subject",
    "SubjectKind",
    "load_build_settings",
    "load_placements",
    "load_settings",
    "open_store",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Recommender": "recommender.engine",
        "RecommenderError": "recommender.errors",
        "Consent": "recommender.events",
        "Event": "recommender.events",
        "EventType": "recommender.events",
        "Subject": "recommender.events",
        "SubjectKind": "recommender.events",
        "Basis": "recommender.feeds",
        "Feed": "recommender.feeds",
        "Query": "recommender.feeds",
        "Reason": "recommender.feeds",
        "SourceName": "recommender.feeds",
        "Generation": "recommender.generation.folder",
        "Generations": "recommender.generation.folder",
        "Item": "recommender.items",
        "ItemKind": "recommender.items",
        "ItemState": "recommender.items",
        "Placement": "recommender.placements",
        "Placements": "recommender.placements",
        "load_placements": "recommender.placements",
        "BuildSettings": "recommender.profile",
        "load_build_settings": "recommender.profile",
        "Settings": "recommender.settings",
        "load_settings": "recommender.settings",
        "Store": "recommender.store.store",
        "open_store": "recommender.store.store",
    },
)
