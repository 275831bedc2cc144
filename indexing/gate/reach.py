"""Whether everything that is live can be come by: a feed for each kind, and one for each category, through a filter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.generation import GateCheck
from recommender.items import ItemKind
from recommender.placements import Placement
from recommender.profile import Gate

MOST_CATEGORIES = 500
"""Categories that are asked for, the largest; each is a feed."""


def check_kinds(recommender: Recommender, placement: Placement, now: datetime) -> GateCheck:
    """Whether each kind that the placement may show is in some feed that asks for it."""
    allowed = recommender.eligibility.allowed(Query(placement, size=1), now)
    catalogue = recommender.contents.catalogue
    asked = [kind for kind in ItemKind if (catalogue.is_kind(frozenset({kind})) & allowed).any()]
    feeds = recommender.feeds([Query(placement, size=1, kinds=frozenset({kind})) for kind in asked], now=now)
    missing = [kind.name.lower() for kind, feed in zip(asked, feeds, strict=True) if not len(feed.numbers)]
    return _reached("kinds-reachable", "kinds", len(asked), missing)


def check_categories(recommender: Recommender, placement: Placement, now: datetime, bounds: Gate) -> GateCheck:
    """Whether each category of at least `reachable_from` items that the placement may show is in a feed that is filtered to it.

    Asked by a filter rather than by `category`, since filters go through all that narrows a feed down.
    """
    allowed = recommender.eligibility.allowed(Query(placement, size=1), now)
    members = recommender.contents.catalogue.category_members
    sizes = {name: int(np.count_nonzero(allowed[rows])) for name, rows in members.items()}
    large = sorted((name for name, size in sizes.items() if size >= bounds.reachable_from), key=lambda name: (-sizes[name], name))
    asked = large[:MOST_CATEGORIES]
    # Strings of JSON are strings of CEL as well.
    queries = [Query(placement, size=1, filter=f"{json.dumps(name)} in categories") for name in asked]
    feeds = recommender.feeds(queries, now=now)
    missing = [name for name, feed in zip(asked, feeds, strict=True) if not len(feed.numbers)]
    return _reached("categories-reachable", f"categories of at least {bounds.reachable_from} items", len(asked), missing)


def _reached(name: str, what: str, asked: int, missing: Sequence[str]) -> GateCheck:
    named = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
    message = f"{len(missing)} of {asked} {what} out of reach, none may be: {named}" if missing else f"{asked} {what}, each within reach"
    return GateCheck(name=name, passed=not missing, message=message)
