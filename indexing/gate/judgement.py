"""Whether the blend holds up on held-out time: against popularity, and against the parent's settings fitted to the same cut."""

from __future__ import annotations

from indexing.twin import TwinReport
from recommender.generation import GateCheck
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval

OVER_PARENT = ("ndcg-over-parent", "coverage-over-parent")


def check_judgement(twin: TwinReport, why_no_parent: str) -> list[GateCheck]:
    """A difference may be below 0 by no more than its interval. `why_no_parent` says why nothing was fitted with the parent's settings
    where nothing was; what was not judged passes, and says so."""
    if twin.comparison is None:
        return [GateCheck(name="judged", passed=True, message=f"not judged: {twin.why_not}")]
    lead = twin.comparison.blend_over("popularity")
    checks = [_held("over-popularity", "blend − popularity, NDCG@10", lead)]
    theirs = "these settings − the parent's on the same cut"
    for name, metric, difference in zip(
        OVER_PARENT, ("NDCG@10", "share of items shown among the first 10"), (twin.over_parent, twin.coverage_over_parent), strict=True
    ):
        if difference is None:
            checks.append(GateCheck(name=name, passed=True, message=f"not judged: {why_no_parent}"))
        else:
            checks.append(_held(name, f"{theirs}, {metric}", difference))
    return checks


def _held(name: str, what: str, difference: Interval) -> GateCheck:
    message = f"{what}: {shown_interval(difference, signed=True)}; its upper end must not be below 0"
    return GateCheck(name=name, passed=difference.high >= 0, message=message)
