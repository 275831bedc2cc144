"""Whether feeds come out full and whole: after one event, and for people as they are."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.event_table import EventTable
from recommender.events import Consent, EventType
from recommender.feeds import Query
from recommender.generation import GateCheck
from recommender.people import HISTORY_DTYPE
from recommender.placements import Placement
from recommender.profile import Gate

SAMPLE = 200
"""Feeds that are asked for."""
SIZE = 20
"""Items of each."""


def check_full_feeds(recommender: Recommender, placement: Placement, now: datetime) -> GateCheck:
    """Whether whoever has had one popular item gets a feed that is as long as it can be, made by all sources."""
    queries = after_one(recommender, placement, SAMPLE)
    answers = recommender.feeds(queries, now=now)
    short = sum(len(feed.numbers) < min(feed.eligible, query.size) for feed, query in zip(answers, queries, strict=True))
    degraded = sum(bool(feed.degraded) for feed in answers)
    full = placement.fallback == "none" or not short
    message = f"{short} short and {degraded} degraded of {len(answers)}; none may be"
    return GateCheck(name="feeds-full", passed=full and not degraded, message=message)


def check_empty_feeds(
    recommender: Recommender, placement: Placement, events: EventTable, now: datetime, bounds: Gate, *, seed: int
) -> GateCheck:
    """How many of some people, with their real histories, and of one who is new get nothing though something may be shown."""
    queries = [Query(placement, size=SIZE), *_of_people(recommender, placement, events, seed)]
    answers = recommender.feeds(queries, now=now)
    asked = sum(feed.eligible > 0 for feed in answers)
    empty = sum(feed.eligible > 0 and not len(feed.numbers) for feed in answers)
    message = f"{empty} of {asked} feeds are empty; at most {bounds.empty_feeds:.1%} may be"
    return GateCheck(name="feeds-empty", passed=empty <= bounds.empty_feeds * asked, message=message)


def after_one(recommender: Recommender, placement: Placement, most: int, *, at: int = 0) -> list[Query]:
    """Queries of histories of one item, had at `at` (µs), one for each of the `most` popular ones."""
    popular = np.argsort(-recommender.contents.popularity, kind="stable")[:most]
    numbers = recommender.contents.catalogue.numbers[popular]
    histories = [np.array([(number, EventType.CLICK, np.nan, at)], dtype=HISTORY_DTYPE) for number in numbers]
    return [Query(placement, size=SIZE, history=history) for history in histories]


def _of_people(recommender: Recommender, placement: Placement, events: EventTable, seed: int) -> list[Query]:
    """Queries of at most `SAMPLE` people, drawn at random, with their newest events."""
    agreed = events.consenting(Consent.PERSONALISE)
    people = np.unique(agreed.person)
    drawn = np.random.default_rng(seed).choice(people, min(SAMPLE, len(people)), replace=False)
    theirs = agreed.where(np.isin(agreed.person, drawn) & (agreed.type != EventType.IMPRESSION))
    cap = recommender.settings.history_cap
    return [
        Query(placement, size=SIZE, history=history[-cap:], consumed=BitMap(history["item"]))
        for history in theirs.by_person().values()
        if len(history)
    ]
