"""Explanations: stage by stage, how an item came into a slate, or what kept it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.composing.composition import NEAR_DUPLICATES, Composer
from recommender.composing.rules import Ensure, Limit
from recommender.decisions.rebuilding import Rebuilt
from recommender.decisions.why_not import Stop, stopped
from recommender.engine import Ranking
from recommender.feeds import Feed, Placing, Reason, SourceName
from recommender.ranking import FEATURES
from recommender.slates import composer_of
from recommender.times import to_micros


@dataclass(frozen=True)
class Said:
    """What one source said of an item: the `rank` it gave, from 1, 0 for no opinion, its `strength` where a learned blend counts those, its
    `weight` in the blend, and what it `added` to the score."""

    source: SourceName
    rank: int
    strength: float
    weight: float
    added: float


@dataclass(frozen=True)
class Touched:
    """A rule that speaks of an item: its `name`, what it does, and with what `effect`, in words."""

    name: str
    does: str
    effect: str


@dataclass(frozen=True)
class Explanation:
    """One item in one decision. Stage by stage: `eligible` items passed all limits, `candidates` of them were proposed and ranked, the item
    at `rank`, from 1; 0 where it was none.

    `place`: in the slate, from 1; 0 where it has none, for what `stop` says. `score`: of the item before rules and variety. `sources`:
    those
    with an opinion, the weightiest first. `features`: what the learned ranker looked at, by name, where it did. `rules`: those that speak
    of
    it. `kept`: share of the score that was left after what was seen and passed over. `placing`, `probability` and `reason`: as in the feed.
    `inexact`: what may be otherwise than it was.
    """

    place: int
    stop: Stop | None
    eligible: int
    candidates: int
    rank: int
    score: float
    sources: tuple[Said, ...]
    features: tuple[tuple[str, float], ...]
    rules: tuple[Touched, ...]
    kept: float
    placing: Placing
    probability: float
    reason: Reason | None
    inexact: tuple[str, ...]


def explained(rebuilt: Rebuilt, number: int, position: int | None = None) -> Explanation:
    """How the item of `number` fared in a decision. `position`: the one that its token tells, from 0, where it was handed out."""
    engine, query, now = rebuilt.engine, rebuilt.query, rebuilt.now
    [feed] = engine.feeds([query], now=now)
    ranking, composer = (
        engine.ranking(query, now=now),
        composer_of(engine, query, engine.rules_for(query, now), now),
    )
    shown = np.flatnonzero(feed.numbers == number)
    place = int(shown[0]) + 1 if len(shown) else 0
    row = int(engine.catalogue.rows_of(number))
    at = np.flatnonzero(ranking.pool.rows == row) if row >= 0 else np.zeros(0, dtype=np.int64)
    rank = _rank(ranking, at)
    if place:
        stop = None
    elif position is not None:
        stop = Stop("taken in", f"it came after the slate was made, and was shown on a later page, at place {position + 1}, as breaking")
    else:
        stop = stopped(engine, query, number, now) or _left_behind(rebuilt, composer, ranking, feed, row, at, rank)
    rules = _touched(composer, row) if row >= 0 else ()
    return Explanation(
        place=place,
        stop=stop,
        eligible=int(np.count_nonzero(ranking.allowed)),
        candidates=len(ranking.order),
        rank=rank,
        score=float(ranking.scores[rank - 1]) if rank else 0.0,
        sources=_said(tuple(source.name for source in engine.sources), ranking, at, rank),
        features=_features(rebuilt, ranking, at, rank),
        rules=rules,
        kept=_kept(composer, rebuilt, row),
        placing=Placing(int(feed.marks[place - 1])) if place else Placing.RANKED,
        probability=float(feed.probabilities[place - 1]) if place else 0.0,
        reason=_reason(rebuilt, feed, place) if place else None,
        inexact=rebuilt.inexact,
    )


def _rank(ranking: Ranking, at: np.ndarray) -> int:
    found = np.flatnonzero(ranking.order == at[0]) if len(at) else at
    return int(found[0]) + 1 if len(found) else 0


def _left_behind(rebuilt: Rebuilt, composer: Composer, ranking: Ranking, feed: Feed, row: int, at: np.ndarray, rank: int) -> Stop:
    """What kept an item that may be shown from having a place."""
    query = rebuilt.query
    if query.text:
        return Stop("search", "it fits what was searched for less well than others, or not at all")
    rows = np.array([row], dtype=np.int32)
    past = ranking.pool.past.rows
    if (
        composer.collapses_new(rows)
        and len(past)
        and (query.seeds_are_items or query.placement.repeat == "never")
        and composer.stories.told_again(rows, past)[0]
    ):
        return Stop(NEAR_DUPLICATES, "it tells the very same as an item of the history")
    if composer.collapses_new(rows) and composer.stories.told_again(rows, rebuilt.engine.catalogue.rows_of(feed.numbers))[0]:
        return Stop(NEAR_DUPLICATES, "it tells the very same as an item that is shown")
    if not len(at):
        return Stop("proposed", f"no source proposed it among its first {query.placement.candidates} candidates")
    if not rank:
        return Stop("score", "no source that has a weight speaks for it")
    if ranking.scores[rank - 1] < query.placement.score_floor:
        return Stop("score floor", f"its score is below the placement's floor of {query.placement.score_floor:g}")
    if rank > query.size:
        last = float(ranking.scores[min(query.size, len(ranking.scores)) - 1])
        return Stop(
            "rank", f"rank {rank} of {len(ranking.order)}, of which the first {query.size} have a place; the last of them scored {last:.6g}"
        )
    held = [rule.name for rule in composer.rules.quotas if isinstance(rule, Limit) and _speaks(composer, rule.filter, row)]
    if held:
        return Stop("quota", f"the limits {', '.join(held)} left no place for it")
    return Stop("slate", "rules, variety, what was passed over, trials or chance put others before it")


def _speaks(composer: Composer, condition: str, row: int) -> bool:
    return not condition or bool(composer.holding(condition, np.array([row], dtype=np.int32))[0])


def _touched(composer: Composer, row: int) -> tuple[Touched, ...]:
    told = []
    for rule in composer.rules.pins:
        if _speaks(composer, rule.filter, row):
            told.append(Touched(rule.name, "pin", f"may stand at place {rule.slot}"))
    for factor in composer.rules.factors:
        if _speaks(composer, factor.filter, row):
            told.append(Touched(factor.name, factor.do, f"score times {factor.factor:g}"))
    for quota in composer.rules.quotas:
        if _speaks(composer, quota.filter, row):
            if isinstance(quota, Ensure):
                effect = f"at least {quota.at_least} in {quota.within} places"
            else:
                effect = f"at most {quota.at_most} in {quota.within} places" + (f" of each {quota.of}" if quota.of else "")
            told.append(Touched(quota.name, quota.do, effect))
    return tuple(told)


def _said(names: tuple[SourceName, ...], ranking: Ranking, at: np.ndarray, rank: int) -> tuple[Said, ...]:
    if not len(at):
        return ()
    pool, place = ranking.pool, int(at[0])
    # A learned ranker makes another score of the sum; each source keeps its part of it.
    factor = float(ranking.scores[rank - 1] / pool.totals[place]) if rank and pool.totals[place] > 0 else 1.0
    said = [
        Said(name, int(pool.source_ranks[place, source]), float(pool.strengths[place, source]), float(pool.weights[source]), added * factor)
        for source, (name, added) in enumerate(zip(names, pool.added[place].tolist(), strict=True))
        if pool.source_ranks[place, source] > 0
    ]
    return tuple(sorted(said, key=lambda each: -each.added))


def _features(rebuilt: Rebuilt, ranking: Ranking, at: np.ndarray, rank: int) -> tuple[tuple[str, float], ...]:
    blend = rebuilt.engine.contents.blend
    looked_at = rebuilt.query.sources is None and ranking.pool.learned and 0 < rank <= rebuilt.query.placement.ranker_depth
    if blend is None or blend.trees is None or not looked_at:
        return ()
    # Among all that were looked at, as some features are shares of the largest.
    order = ranking.order[: rebuilt.query.placement.ranker_depth]
    columns = rebuilt.engine.features(ranking.pool, order, now=rebuilt.now)
    return tuple(zip(FEATURES, columns[rank - 1].tolist(), strict=True))


def _kept(composer: Composer, rebuilt: Rebuilt, row: int) -> float:
    seen = rebuilt.query.seen
    if row < 0 or not composer.discounts(seen):
        return 1.0
    return float(composer.left_after(seen, np.array([row], dtype=np.int32), to_micros(rebuilt.now))[0])


def _reason(rebuilt: Rebuilt, feed: Feed, place: int) -> Reason:
    if place <= len(feed.reasons):
        return feed.reasons[place - 1]
    only = slice(place - 1, place)
    reasons = rebuilt.engine.reasons(rebuilt.query, feed.numbers[only], feed.sources[only], now=rebuilt.now)
    return reasons.promoting(feed.marks[only])[0]
