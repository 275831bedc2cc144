"""Makes one decision: asks the engine within the call's deadline, and has the answer recorded under a new decision id."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import grpc

from recommender.asker import Asker
from recommender.engine import Recommender
from recommender.events import Consent
from recommender.feeds import Basis, Degradation, Feed, Query
from recommender.served_query import MadeWith
from recommender.stages import reached
from recommender.store import Store
from recommender.tokens import TokenSigner
from server.answering import Decided
from server.asking import Moment, basis_of
from server.deadlines import LONG_AGO, Usual, seconds_left
from server.decisions import DecisionWriter, Served
from server.live import Live
from server.metrics import Metrics
from server.offered import Offered, PlacementsFile
from server.trends import Trends

_MEASURE = Consent.MEASURE

METHODS = ("GetFeed", "GetSlates", "GetSimilar", "GetPopular", "Rank", "Search")
"""The methods whose answers are decided here."""


@dataclass(frozen=True)
class Tools:
    """What feeds are made with. `new_id` gives 16 random bytes; `page_age` is how old a page token may be; `usual` says for each method
    how long its answers take."""

    store: Store
    live: Live
    trends: Trends
    offered: PlacementsFile
    signer: TokenSigner
    decisions: DecisionWriter
    metrics: Metrics
    consent_default: Consent
    page_age: timedelta
    now: Callable[[], datetime]
    new_id: Callable[[], bytes]
    usual: Mapping[str, Usual]


def decide(
    tools: Tools,
    offered: Offered,
    method: str,
    engine: Recommender,
    query: Query,
    asker: Asker,
    moment: Moment | None,
    context: grpc.ServicerContext,
    now: datetime,
) -> tuple[Decided, Feed]:
    """The ranking that answers `query`, and what its items will name. Raises `InvalidCondition` for a bad filter.

    `moment`: what shaped the query's history beside the asker's own; None where the history is not the asker's at all.
    """
    usual, started, left = tools.usual[method], time.monotonic(), seconds_left(context)
    # Without a fallback an answer for which no source was asked would be an empty one.
    short = left is not None and left < usual.seconds and (query.placement.fallback != "none" or query.candidates is not None)
    deadline = LONG_AGO if short else None if left is None else started + left
    decision_id = tools.new_id()
    seed = int.from_bytes(decision_id[:8], "big")
    if query.placement.goes_by_chance:
        query = replace(query, seed=seed)
    [feed] = engine.feeds([query], now=now, deadline=deadline)
    tools.live.recent.note(query)
    left_out = tuple(entry.what for entry in feed.degraded) if feed.degraded else ()
    made = MadeWith(feed.made_at, engine.counted_upto, engine.overlaid_upto, left_out)
    if short:
        usual.was_short()
    else:
        usual.took(time.monotonic() - started, whole=not feed.degraded, left=left)
    late = (*tools.live.degraded(now), *(() if query.trend is None else query.trend.degraded))
    if late:
        feed = replace(feed, degraded=(*feed.degraded, *late))
    basis = Basis.CONTEXTUAL if moment is None else basis_of(asker, moment, feed, engine)
    # A query may bend its placement's settings; what is named is the configured placement.
    name = query.placement.name
    decided = Decided(decision_id, name, offered.placements.versions[name], engine.generation_id, basis)
    tools.decisions.note(
        Served(
            decision_id=decision_id,
            at=now,
            subject=asker.recorded_as,
            query=query if _MEASURE in asker.consent else None,
            made=made,
            placement=decided.placement,
            placement_version=decided.placement_version,
            generation_id=decided.generation_id,
            profile=engine.profile_hash,
            basis=basis,
            seed=seed,
            change=engine.change,
            numbers=feed.numbers,
            sources=feed.sources,
            probabilities=feed.probabilities,
        )
    )
    count_answer(tools.metrics, method, basis, feed.degraded)
    reached("served record noted")
    return decided, feed


def count_answer(metrics: Metrics, method: str, basis: Basis, degraded: Sequence[Degradation]) -> None:
    """Count an answer and what was left out of it."""
    metrics.answered(method, basis.name)
    for entry in degraded:
        metrics.degraded.labels(entry.what, entry.why).inc()
