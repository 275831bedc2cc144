"""All checks of a build in their order."""

from __future__ import annotations

from datetime import datetime

from indexing.embedding import CatalogueVectors
from indexing.gate.counts import check_counts
from indexing.gate.feeds import check_empty_feeds, check_full_feeds
from indexing.gate.judgement import check_judgement
from indexing.gate.latency import Latencies, check_latency, measure_latency
from indexing.gate.learnt import check_finite
from indexing.gate.reach import check_categories, check_kinds
from indexing.gate.vectors import check_finds_itself, check_own_vectors, check_recall, check_unit_norms
from indexing.twin import TwinReport
from recommender.engine import Recommender
from recommender.event_table import EventTable
from recommender.generation import GateCheck, Manifest
from recommender.placements import Placement
from recommender.profile import Gate


def all_checks(
    engines: tuple[Recommender, Recommender | None],
    embedded: CatalogueVectors,
    events: EventTable,
    twin: TwinReport,
    parent: Manifest | None,
    placement: Placement,
    bounds: Gate,
    *,
    now: datetime,
    why_no_parent: str,
) -> tuple[list[GateCheck], Latencies]:
    """What the gate finds of a build's engine, and how long its feeds took; `engines`: that one and the parent's, None for none to compare
    with."""
    engine, before = engines
    contents = engine.contents
    latencies = measure_latency(engine, before, placement, now)
    checks = [
        check_own_vectors(embedded),
        *check_counts(contents, len(events), parent, bounds),
        check_finite(contents),
        check_unit_norms(contents),
        check_finds_itself(contents, bounds),
        check_recall(contents, bounds),
        check_kinds(engine, placement, now),
        check_categories(engine, placement, now, bounds),
        check_full_feeds(engine, placement, now),
        check_empty_feeds(engine, placement, events, now, bounds, seed=engine.settings.seed),
        check_latency(latencies, bounds),
        *check_judgement(twin, why_no_parent),
    ]
    return checks, latencies
