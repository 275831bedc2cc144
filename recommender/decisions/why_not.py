"""Why an item may not be shown: the first limit of a query that it does not pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from recommender.composing.rules import Exclude, Require
from recommender.engine import Recommender
from recommender.feeds import Muted, Query
from recommender.times import MISSING_TIME, from_micros, to_micros


class Stop(NamedTuple):
    """At which `stage` an item was stopped, and a sentence about it."""

    stage: str
    detail: str


def stopped(engine: Recommender, query: Query, number: int, now: datetime) -> Stop | None:
    """The first limit of `query` at `now`, aware, that keeps the item of `number` from being shown; None where none does."""
    row = int(engine.catalogue.rows_of(number))
    if row < 0:
        return Stop("generation", f"generation {engine.generation_id} does not have it, nor did anything that was laid over it then")
    return _by_state(engine, row, now) or next(_by_limits(engine, query, number, row, now), None) or _by_rules(engine, query, row, now)


def _by_state(engine: Recommender, row: int, now: datetime) -> Stop | None:
    state, moment = engine.eligibility, to_micros(now)
    if state.deleted[row]:
        return Stop("deleted", "it was deleted")
    if not state.live[row]:
        return Stop("hidden", "it was hidden")
    begins, ends = int(state.valid_from[row]), int(state.valid_to[row])
    if begins > moment:
        return Stop("validity", f"it may be shown from {from_micros(begins).isoformat()} on")
    if ends != MISSING_TIME and ends <= moment:
        return Stop("validity", f"it might be shown until {from_micros(ends).isoformat()}")
    return None


def _by_limits(engine: Recommender, query: Query, number: int, row: int, now: datetime) -> Iterator[Stop]:
    """Limits, each asked alone, by the very masks that feeds are made with."""
    placement = query.placement
    bare = Query(placement.model_copy(update={"kinds": frozenset(), "repeat": "never", "rules": ()}), 1)
    of_placement = placement.model_copy(update={"rules": ()})
    limits = (
        (
            "kind",
            "it is of another kind than the placement shows or the request asks for",
            {"placement": of_placement, "kinds": query.kinds},
        ),
        ("language", f"it is in another language than {query.language}", {"language": query.language}),
        ("region", f"it is for other regions than {query.region}", {"region": query.region}),
        ("category", f"it is not in the category {query.category}", {"category": query.category}),
        ("filter", f"it does not meet the filter {query.filter}", {"filter": query.filter}),
        ("candidates", "it is none of the items that were to be ranked", {"candidates": query.candidates}),
        ("excluded", "the request excludes it, or the item that stands on its page", {"exclude": query.exclude}),
        ("dismissed", "the person dismissed it", {"dismissed": query.dismissed}),
        ("consumed", "the person had it already", {"consumed": query.consumed} if placement.repeat == "never" else {}),
        ("given", "it is one of the given items", {"history": query.history, "seeds_are_items": query.seeds_are_items}),
        ("muted", "the person muted its author", {"muted": Muted(authors=query.muted.authors)}),
        ("muted", "the person muted one of its categories", {"muted": Muted(categories=query.muted.categories)}),
        ("muted", "the person muted a word that it names", {"muted": Muted(words=query.muted.words)}),
        ("own", "it is the person's own", {"owner": query.owner}),
    )
    for stage, detail, asked in limits:
        if not engine.eligibility.allowed(replace(bare, **asked), now)[row]:
            yield Stop(stage, detail)


def _by_rules(engine: Recommender, query: Query, row: int, now: datetime) -> Stop | None:
    names = engine.rules_for(query, now).names
    rows = np.array([row], dtype=np.int32)
    for rule in query.placement.rules:
        if rule.name in names and isinstance(rule, Require | Exclude):
            holds = bool(engine.eligibility.holding(rule.filter, now, rows)[0])
            if holds != isinstance(rule, Require):
                return Stop(
                    "rule",
                    f"the rule {rule.name} of the placement {'requires' if isinstance(rule, Require) else 'excludes'}: {rule.filter}",
                )
    return None
