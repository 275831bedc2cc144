"""From a ranking to a slate: what is too low or told already falls out, rules and the fallback ask for more, and the rest is composed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.composing.composition import Composer, Slate
from recommender.composing.in_force import InForce
from recommender.composing.rules import Ensure, Limit
from recommender.composing.variety import ALL_MAY_BE_ALIKE, NO_EXPLORATION, NO_IMPRESSIONS
from recommender.feeds import Query
from recommender.fusion import cut
from recommender.pools import FRESH, POPULAR
from recommender.ranking import Pool
from recommender.sources import first_allowed
from recommender.times import to_micros

if TYPE_CHECKING:
    from recommender.engine import Recommender

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Made(NamedTuple):
    """A slate of s items: their `rows`, `scores`, sources' parts of these, `added`, shape (s, sources), each source's rank of each, and
    what put each at its place."""

    rows: Rows
    scores: Floats
    added: Floats
    source_ranks: Rows
    slate: Slate


def composer_of(engine: Recommender, query: Query, rules: InForce, now: datetime) -> Composer:
    """What the slate of `query` is composed by, where these `rules` hold."""
    placement = query.placement
    whole, given = query.is_for_a_feed, query.candidates is not None
    if not whole and rules.arranges:
        rules = replace(rules, pins=(), factors=(), quotas=())
    return Composer(
        rules=rules,
        variety=placement.variety if whole else ALL_MAY_BE_ALIKE if given else placement.variety.near_duplicates_alone,
        impressions=placement.impressions if whole else NO_IMPRESSIONS,
        exploration=placement.exploration if whole else NO_EXPLORATION,
        catalogue=engine.catalogue,
        holding=engine.eligibility.holding_at(now),
        stories=engine.stories,
        vectors=engine.content.gather,
        weights=lambda rows: engine.facts.popularity[rows],
    )


def made_of(
    engine: Recommender,
    query: Query,
    composer: Composer,
    pool: Pool,
    order: npt.NDArray[np.int64],
    scores: Floats,
    allowed: Mask,
    now: datetime,
) -> Made:
    """The slate of `query` from the places of a pool in `order`, shape (c,), with their `scores`, descending; filled up from the `allowed`
    rows, shape (n,)."""
    floor = query.placement.score_floor
    if floor > 0:
        scores = scores[scores >= floor]
        order = order[: len(scores)]
    collapsing = composer.may_collapse and composer.collapses_new(pool.rows[order])
    # Who has read one agency's report has read the other's.
    again = len(pool.past) > 0 and (query.seeds_are_items or query.placement.repeat == "never")
    if collapsing and again:
        new = ~engine.stories.told_again(pool.rows[order], pool.past.rows)
        order, scores = order[new], scores[new]
    arranging = collapsing or not composer.is_idle or composer.discounts(query.seen)
    rows = pool.rows[order] if arranging else pool.rows[order[: query.size]]
    more, backing = _asked_for(engine, query, composer, rows, allowed) if arranging else (rows[:0], rows[:0])
    # What is held back for what stands above it is not to come back for want of others.
    size = query.size + (composer.held_back(rows) if arranging else 0)
    if len(rows) + len(more) < size:
        told = (pool.past.rows if again else pool.past.rows[:0]) if composer.may_collapse else None
        filled, of = _filling(engine, query, np.concatenate([rows, more]), size, allowed, told, now)
        more, backing = np.concatenate([more, filled]), np.concatenate([backing, of])
    at = to_micros(now)
    if len(more):
        return _filled_up(query, composer if arranging else None, pool, order, scores, rows, more, backing, at)
    if arranging:
        slate = composer.composed(rows, scores, query.size, query.seen, at, query.seed)
        order, scores, rows = order[slate.places], scores[slate.places], rows[slate.places]
    else:
        slate = Slate.as_ranked(len(rows))
    return Made(rows, *cut(order, scores, pool.totals, pool.added, pool.source_ranks, len(rows)), slate)


def _filled_up(
    query: Query,
    composer: Composer | None,
    pool: Pool,
    order: npt.NDArray[np.int64],
    scores: Floats,
    rows: Rows,
    more: Rows,
    backing: Rows,
    at: int,
) -> Made:
    """The slate of `rows`, which are at the places of a pool in `order`, and of `more` behind them, each from the source at its place in
    `backing`; arranged by the `composer`, where there is one, `at` a moment in µs."""
    added = np.zeros((len(more), pool.added.shape[1]), dtype=np.float32)
    worst = float(scores[-1]) if len(scores) else 1.0
    added[np.arange(len(more)), backing] = worst / (2 + np.arange(len(more), dtype=np.float32))
    if composer is None:
        slate = Slate.as_ranked(min(query.size, len(rows) + len(more)))
    else:
        every = np.concatenate([rows, more]), np.concatenate([scores, added.sum(axis=1)])
        slate = composer.composed(*every, query.size, query.seen, at, query.seed)
    inner = slate.places[slate.places < len(rows)]
    parts = cut(order[inner], scores[inner], pool.totals, pool.added, pool.source_ranks, len(inner))
    both = np.concatenate([parts[0], added.sum(axis=1)]), np.concatenate([parts[1], added])
    ranks = np.concatenate([parts[2], np.zeros((len(more), added.shape[1]), dtype=np.int32)])
    # Of these arrays what was ranked has the first places, in the order of the slate.
    places = np.where(slate.places < len(rows), np.cumsum(slate.places < len(rows)) - 1, slate.places - len(rows) + len(inner))
    return Made(np.concatenate([rows[inner], more])[places], both[0][places], both[1][places], ranks[places], slate)


def _asked_for(engine: Recommender, query: Query, composer: Composer, rows: Rows, allowed: Mask) -> tuple[Rows, Rows]:
    """More allowed rows that rules ask for and that are too few among the candidates `rows`, the most popular first.

    Returns the rows and the place of the source that each comes from.
    """
    found, rules = rows[:0], composer.rules

    def fetch(condition: str, count: int) -> None:
        nonlocal found
        taken = np.concatenate([rows, found]) if len(found) else rows
        missing = count - int(np.count_nonzero(composer.holding(condition, taken)))
        if missing > 0:
            left = allowed & composer.holding(condition, None)
            left[taken] = False
            found = np.concatenate([found, engine.popular.first(left, missing)])

    for pin in rules.pins:
        fetch(pin.filter, 1)
    if len(rules.pins) > 1 and composer.pins(np.concatenate([rows, found]), query.size)[1]:
        # What one may take, another may need.
        for pin in rules.pins:
            fetch(pin.filter, len(rules.pins))
    for floor in (rule for rule in rules.quotas if isinstance(rule, Ensure)):
        fetch(floor.filter, floor.at_least * -(-query.size // floor.within))
    if query.placement.fallback != "none":
        for limit in (rule for rule in rules.quotas if isinstance(rule, Limit)):
            further = _uncrowded(engine, composer, limit, query.size, np.concatenate([rows, found]), allowed)
            found = np.concatenate([found, further])
    return found, np.full(len(found), POPULAR, dtype=np.int32)


def _uncrowded(engine: Recommender, composer: Composer, limit: Limit, size: int, taken: Rows, allowed: Mask) -> Rows:
    """More allowed rows after `taken`, as many as it takes to fill a slate of `size` without more of any label than a `limit` lets stand
    there."""
    most = limit.at_most * (size // limit.within) + min(limit.at_most, size % limit.within)
    found = taken[:0]
    for some in (taken[: 2 * size], taken):
        # Mostly the first of them are enough to know.
        fitting, crowded = composer.labelled(limit, some).fitting(len(some), most)
        if np.count_nonzero(fitting) >= size:
            return found
    left = allowed.copy()
    left[taken] = False
    every = np.flatnonzero(left).astype(np.int32)
    of_every = composer.labelled(limit, every)
    while (missing := size - np.count_nonzero(fitting)) > 0:
        left[every[of_every.places[np.isin(of_every.codes, crowded)]]] = False
        further = engine.popular.first(left, int(missing))
        if not len(further):
            break
        left[further] = False
        found = np.concatenate([found, further])
        both = np.concatenate([taken, found])
        fitting, crowded = composer.labelled(limit, both).fitting(len(both), most)
    return found[fitting[len(taken) :]] if len(found) else found


def _filling(
    engine: Recommender, query: Query, taken: Rows, size: int, allowed: Mask, told: Rows | None, now: datetime
) -> tuple[Rows, Rows]:
    """More allowed rows after `taken` by the placement's fallback, up to `size` in all, so that no slate is short while anything may be
    shown. What tells the very same as another one, or as those `told` already, comes last and only as long as the slate is short; None
    where nothing is held against another.

    Returns the rows and the place of the source that each comes from. What has no date follows by popularity.
    """
    fallback = query.placement.fallback
    if fallback == "none" and query.candidates is None:
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    left = allowed.copy()
    left[taken] = False
    dated = engine.fresh.published_by(to_micros(now)) if fallback == "fresh" else np.zeros(0, dtype=np.int32)

    def following(wanted: int) -> tuple[Rows, Rows]:
        newest = first_allowed(dated, left, wanted)
        left[newest] = False
        others = engine.popular.first(left, wanted - len(newest))
        left[others] = False
        return np.concatenate([newest, others]), np.repeat([FRESH, POPULAR], [len(newest), len(others)]).astype(np.int32)

    if told is None:
        return following(size - len(taken))
    known = np.concatenate([taken, told]).astype(np.int32)
    found, of, again, of_again = taken[:0], taken[:0], taken[:0], taken[:0]
    while len(taken) + len(found) < size:
        rows, backing = following(size - len(taken) - len(found))
        if not len(rows):
            break
        new = ~engine.stories.told_again(rows, np.concatenate([known, found])) & engine.stories.first_of_theirs(rows)
        found, of = np.concatenate([found, rows[new]]), np.concatenate([of, backing[new]])
        again, of_again = np.concatenate([again, rows[~new]]), np.concatenate([of_again, backing[~new]])
    short = max(query.size - len(taken) - len(found), 0)
    return np.concatenate([found, again[:short]]), np.concatenate([of, of_again[:short]])
