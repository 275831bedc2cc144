"""A run of the benchmark as plain data, for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from eval.bench.bandits import Simulated
from eval.bench.report import Report
from eval.bench.result import Group, Result
from eval.off_policy.open_bandit import Direction
from eval.off_policy.shown import figures as plain_figures
from recommender.judging import Interval
from recommender.served_profile import served_profile

Figures = dict[str, Any]


def figures_of(report: Report) -> Figures:
    """All that the tables show as objects, lists, text and finite numbers; null stands for what is none."""
    placement = report.placement
    return {
        "at": report.at.isoformat(timespec="seconds"),
        "served_profile": served_profile(report.settings, placement),
        "profile": report.settings.hash,
        "changed": report.settings.model_dump(mode="json", exclude_defaults=True),
        "placement": {
            "name": placement.name,
            "version": placement.version,
            "candidates": placement.candidates,
            "ranker_depth": placement.ranker_depth,
        },
        "versions": dict(report.versions),
        "sets": [_set(result) for result in report.results],
        "off_policy": {
            "simulated": [_simulated(found) for found in report.simulated],
            "logs": {name: [_direction(one) for one in both] for name, both in (report.directions or {}).items()},
        },
        "skipped": list(report.skipped),
    }


def _set(result: Result) -> Figures:
    benchmark = result.benchmark
    return {
        "set": benchmark.name,
        "protocol": benchmark.protocol,
        "published_by": benchmark.source,
        "queries": result.queries,
        "people": result.people,
        "rows": [
            {
                "metric": row.measure.metric,
                "kind": row.measure.kind.value,
                "label": row.measure.label,
                **_interval(row.interval),
                "p": row.p,
                "published": row.measure.published,
                "must": row.measure.must,
                "must_p": row.measure.p,
                "aim": row.measure.aim,
                "verdict": row.verdict,
            }
            for row in result.rows
        ],
        "leading": result.leading,
        "sampled": result.sampled,
        "sources": {name: _interval(interval) for name, interval in result.singles.items()},
        "best_source": result.best,
        "not_beaten": list(result.not_beaten),
        "leads": {name: {**_interval(lead), "p": p} for name, (lead, p) in result.leads.items()},
        "without": {name: {**_interval(lost), "p": p} for name, (lost, p) in result.without.items()},
        "exhaustive": None if result.exhaustive is None else dict(zip(("more", "served"), map(_interval, result.exhaustive), strict=True)),
        "by_history_length": _groups(result.by_length),
        "cold_start": _groups(result.cold_start),
        "weights": {name: list(row) for name, row in result.weights.items()},
        "ranker": result.ranker,
        "ranker_gain": None if result.ranker_gain is None else _interval(result.ranker_gain),
        "importance": dict(sorted(result.importance.items(), key=lambda entry: -entry[1])),
        "costs": asdict(result.costs),
        "notes": list(result.notes),
    }


def _groups(groups: Mapping[str, Group] | Mapping[int, Group]) -> Figures:
    return {
        str(name): {"queries": group.queries, **{variant: _interval(mean) for variant, mean in group.means.items()}}
        for name, group in groups.items()
    }


def _direction(found: Direction) -> Figures:
    return {
        "logged": found.logged,
        "judged": found.judged,
        "estimates": {name: plain_figures(interval) for name, interval in found.estimates.items()},
        "on_policy": plain_figures(found.on_policy),
        "diagnostics": plain_figures(found.diagnostics),
    }


def _simulated(found: Simulated) -> Figures:
    return {
        "click_rate": found.rate,
        "logs": found.logs,
        "rows": found.rows,
        "estimates": {name: plain_figures(one) for name, one in found.performance.items()},
        "covers": found.covers,
        "naive_is_biased": found.naive_is_biased,
        "dr_is_narrower": found.is_narrower,
    }


def _interval(interval: Interval) -> Figures:
    return {name: value if math.isfinite(value) else None for name, value in vars(interval).items()}
