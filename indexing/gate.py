"""The gate: small named checks that a build must pass before it may serve, each saying what it found."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from indexing.embedding import CatalogueVectors
from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query
from recommender.generation import Contents, GateCheck, Manifest
from recommender.items import ItemKind
from recommender.judging import Interval
from recommender.judging.comparison import Comparison, shown_interval
from recommender.people import HISTORY_DTYPE
from recommender.placements import Placement

SAMPLE = 200
UNIT_TOLERANCE = 5e-3
"""Half-precision rounding moves the length of a unit vector by less than this."""
FEW_MISFITS, MISFIT_SHARE = 10, 0.05
"""Own vectors of another length than most that are put up with: so many, or this share if that is more."""
SMALLEST_SHARE = 0.5
"""A catalogue or event log that lost more than half since the parent points to a broken import."""


def check_contents(contents: Contents, parent: Manifest | None, events: int) -> list[GateCheck]:
    """Counts, numbers and vectors."""
    n, live = contents.catalogue.n, int(np.count_nonzero(contents.catalogue.live))
    checks = [GateCheck(name="items", passed=live > 0, message=f"{n} items, {live} of them live")]
    if parent is not None:
        for name, ours, theirs in (("items-kept", n, parent.items), ("events-kept", events, parent.events)):
            kept = ours >= theirs * SMALLEST_SHARE
            checks.append(GateCheck(name=name, passed=kept, message=f"{ours}, the parent had {theirs}"))
    finite = all(np.isfinite(array).all() for array in contents.learnt_arrays().values())
    checks.append(
        GateCheck(name="finite", passed=bool(finite), message="no NaN or infinity" if finite else "NaN or infinity in what was learnt")
    )
    checks.append(_unit_norms(contents))
    checks.append(_finds_itself(contents))
    return checks


def check_vectors(vectors: CatalogueVectors) -> GateCheck:
    """Whether the items' own vectors fit together; a few that do not are left out and named, so that one bad item stops no night."""
    bad, most = len(vectors.misfits), max(FEW_MISFITS, int(vectors.own * MISFIT_SHARE))
    named = f"; left out for their length: {', '.join(vectors.misfits[:5])}{' …' if bad > 5 else ''}" if bad else ""
    return GateCheck(name="own-vectors", passed=bad <= most, message=f"{bad} of {vectors.own} do not fit{named}")


def _unit_norms(contents: Contents) -> GateCheck:
    rows = np.flatnonzero(contents.has_vector)
    worst = 0.0
    for start in range(0, len(rows), 10_000):
        lengths = np.linalg.norm(contents.vectors.gather(rows[start : start + 10_000]), axis=1)
        # Unlike max(), this lets NaN through to the comparison, which it fails.
        worst = float(np.maximum(worst, np.abs(lengths - 1).max()))
    return GateCheck(
        name="unit-norms", passed=worst <= UNIT_TOLERANCE, message=f"{len(rows)} vectors, furthest from length 1 by {worst:.1e}"
    )


def _finds_itself(contents: Contents) -> GateCheck:
    """A sample of items searched by their own vector: each must come back at the top, up to ties with its doubles."""
    rows = np.flatnonzero(contents.has_vector)
    rows = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(np.int64)] if len(rows) else rows
    if not len(rows):
        return GateCheck(name="finds-itself", passed=True, message="no item has a vector")
    vectors = contents.vectors.gather(rows)
    _, cosines, mode = contents.vectors.search(vectors, 1, np.asarray(contents.has_vector))
    found = int((cosines[:, 0] >= (vectors**2).sum(axis=1) - UNIT_TOLERANCE).sum())
    return GateCheck(name="finds-itself", passed=found >= 0.99 * len(rows), message=f"{found} of {len(rows)} sampled items ({mode} search)")


def check_feeds(recommender: Recommender, placement: Placement, now: datetime) -> list[GateCheck]:
    """Whether feeds come out full, for every kind and for histories of one item."""
    contents, checks = recommender.contents, []
    allowed = recommender.eligibility.allowed(Query(placement, size=1), now)
    by_kind = {kind: int((contents.catalogue.is_kind(frozenset({kind})) & allowed).sum()) for kind in ItemKind}
    asked = [kind for kind, count in by_kind.items() if count]
    feeds = recommender.feeds([Query(placement, size=1, kinds=frozenset({kind})) for kind in asked], now=now)
    missing = [kind.name.lower() for kind, feed in zip(asked, feeds, strict=True) if not len(feed.numbers)]
    checks.append(
        GateCheck(
            name="kinds-reachable", passed=not missing, message=f"unreachable: {', '.join(missing)}" if missing else f"{len(asked)} kinds"
        )
    )
    popular = np.argsort(-contents.popularity, kind="stable")[:SAMPLE]
    queries = [_after_one(recommender, placement, int(row)) for row in popular]
    answers = recommender.feeds(queries, now=now)
    short = sum(len(feed.numbers) < min(feed.eligible, query.size) for feed, query in zip(answers, queries, strict=True))
    degraded = sum(bool(feed.degraded) for feed in answers)
    full = placement.fallback == "none" or not short
    checks.append(
        GateCheck(name="feeds-full", passed=full and not degraded, message=f"{short} short and {degraded} degraded of {len(answers)}")
    )
    return checks


def _after_one(recommender: Recommender, placement: Placement, row: int) -> Query:
    history = np.array([(recommender.contents.catalogue.numbers[row], EventType.CLICK, np.nan, 0)], dtype=HISTORY_DTYPE)
    return Query(placement, size=20, history=history)


def check_judgement(comparison: Comparison | None, why_not: str, over_parent: Interval | None) -> list[GateCheck]:
    """Whether the blend holds up on held-out time: against popularity, and against the parent's settings fitted to the same cut."""
    if comparison is None:
        return [GateCheck(name="judged", passed=True, message=f"not judged: {why_not}")]
    lead = comparison.blend_over("popularity")
    checks = [
        GateCheck(
            name="over-popularity", passed=lead.high >= 0, message=f"blend − popularity, NDCG@10: {shown_interval(lead, signed=True)}"
        )
    ]
    if over_parent is None:
        checks.append(GateCheck(name="over-parent", passed=True, message="no parent with other settings"))
    else:
        message = f"these settings − the parent's on the same cut, NDCG@10: {shown_interval(over_parent, signed=True)}"
        checks.append(GateCheck(name="over-parent", passed=over_parent.high >= 0, message=message))
    return checks
