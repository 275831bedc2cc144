"""The gate: small named checks that a build must pass before it may serve, each saying what it found and what is allowed.

One idea a check, those of one kind a file. Bounds are build settings (`gate`), which change nothing of what is learnt.
"""

from indexing.gate.all_checks import all_checks
from indexing.gate.counts import check_counts
from indexing.gate.feeds import check_empty_feeds, check_full_feeds
from indexing.gate.judgement import check_judgement
from indexing.gate.latency import Latencies, check_latency, measure_latency
from indexing.gate.learnt import check_finite
from indexing.gate.reach import check_categories, check_kinds
from indexing.gate.vectors import check_finds_itself, check_own_vectors, check_recall, check_unit_norms

__all__ = [
    "Latencies",
    "all_checks",
    "check_categories",
    "check_counts",
    "check_empty_feeds",
    "check_finds_itself",
    "check_finite",
    "check_full_feeds",
    "check_judgement",
    "check_kinds",
    "check_latency",
    "check_own_vectors",
    "check_recall",
    "check_unit_norms",
    "measure_latency",
]
