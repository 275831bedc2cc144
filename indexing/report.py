"""What a build came to, as JSON for other programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from recommender.errors import ImportRefused, Locked, RecommenderError, Unchanged

if TYPE_CHECKING:
    from indexing.building import Outcome

PUBLISHED, FAILED, REFUSED, UNCHANGED, LOCKED = "published", "failed", "refused", "unchanged", "locked"
FILES_REFUSED = "files refused"


def report_of(outcome: Outcome, forced: str) -> dict[str, Any]:
    """The report of a build that came to its end; its metrics and checks stand in the manifest. `forced`: the reason that was given."""
    return {
        "outcome": PUBLISHED if outcome.activated else REFUSED,
        "message": "",
        "manifest": outcome.manifest.model_dump(mode="json"),
        "activated": outcome.activated,
        "forced": forced if outcome.activated and not outcome.manifest.passed else "",
        "stages": [took.model_dump() for took in outcome.stages],
        "embedded": outcome.embedded,
        "cached": outcome.cached,
        "latencies": asdict(outcome.latencies),
        "pruned": outcome.pruned,
        "imported": [report.as_json() for report in outcome.imported],
    }


def report_of_failure(error: RecommenderError) -> dict[str, Any]:
    """The report of a build that did not come to its end."""
    kinds = {Locked: LOCKED, Unchanged: UNCHANGED, ImportRefused: FILES_REFUSED}
    return {"outcome": kinds.get(type(error), FAILED), "message": str(error)}
