"""All figures of an evaluation as plain data: what the JSON file holds, and all that the report goes by, so that the two agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from eval.breakdowns import BreakDown, break_downs, length_curve
from eval.cold_start import ColdStart
from eval.curves import CURVES, curves_of
from eval.evaluation import OTHER, Evaluation
from eval.examples import Example, examples
from eval.reliability import reliability
from recommender.feeds import SourceName
from recommender.judging import holm, randomisation_test
from recommender.judging.comparison import LEADING, Comparison
from recommender.judging.replay import BLEND
from recommender.placements import HISTORY_BUCKETS, Placement
from recommender.times import from_micros

COMPARED = ("ndcg@10", "ndcg@20", "recall@20", "recall@100", "hit_rate@10", "mrr@10")
"""The metrics by which two runs are compared; p is Holm-corrected for as many."""

Figures = dict[str, Any]


def figures_of(evaluation: Evaluation) -> Figures:
    """Everything as JSON has it: objects, lists, text and finite numbers; an interval is an object of mean, low and high.

    It says of nobody who they are: people are counted, and examples are told in titles.
    """
    comparison, material = evaluation.comparison, evaluation.material
    best = comparison.best_part
    chances = comparison.p_values()
    figures: Figures = {
        "data": {
            "name": material.name,
            "items": material.catalogue.n,
            "events": len(material.events),
            "people": len(material.people),
            "order": str(material.order),
        },
        "profile": evaluation.build.hash,
        "placement": {"name": evaluation.placement.name, "version": evaluation.placement.version},
        "windows": [
            {
                "name": window.name,
                "cut": from_micros(window.held_out.cut).isoformat(),
                "fitted_events": window.fitted,
                "queries": len(window.held_out),
                "dropped_pairs": window.dropped,
                "excluded_impressions": window.excluded,
            }
            for window in evaluation.windows
        ],
        "people": len(np.unique(comparison.held_out.people)),
        "queries": len(comparison.held_out),
        "best_part": best,
        "variants": _intervals(comparison),
        "overall": {name: {**judgement.overall, "items_shown": judgement.shown} for name, judgement in comparison.judgements.items()},
        "blend_over": {name: {**asdict(comparison.blend_over(name)), "p": p} for name, p in chances.items()},
        "curves": {
            name: {curve: np.round(values, 6).tolist() for curve, values in curves_of(judgement).items()}
            for name, judgement in comparison.judgements.items()
        },
        "break_downs": [break_down_figures(broken) for broken in break_downs(evaluation)],
        "length_curve": break_down_figures(length_curve(evaluation)),
        "blend": _blend(evaluation),
        "warnings": list(evaluation.warnings),
    }
    found = reliability(evaluation)
    if found is not None:
        figures["reliability"] = {**asdict(found), "bins": [asdict(each) for each in found.bins]}
    if evaluation.cold_start is not None:
        figures["cold_start"] = _cold_start(evaluation.cold_start)
    if evaluation.ablation is not None:
        lost = evaluation.ablation.p_values()
        figures["ablation"] = {name: {**asdict(evaluation.ablation.blend_over(name)), "p": p} for name, p in lost.items()}
    if evaluation.compared is not None and evaluation.rival is not None:
        figures["compared"] = _compared(evaluation.compared, evaluation.rival.name, evaluation.rival.build.hash, evaluation.rival.placement)
    if evaluation.learning_curve:
        figures["learning_curve"] = [
            {
                "share": point.share,
                "people": point.people,
                "events": point.events,
                **{metric: asdict(point.judgement.intervals[metric]) for metric in (LEADING, "recall@20")},
            }
            for point in evaluation.learning_curve
        ]
    runs = comparison if evaluation.compared is None else evaluation.compared
    theirs = best if evaluation.compared is None else OTHER
    figures["examples"] = {
        "ours": BLEND,
        "theirs": theirs,
        "people": [_example(example) for example in examples(material.catalogue, runs, BLEND, theirs)],
    }
    return figures


def _cold_start(curve: ColdStart) -> Figures:
    return {
        "by": "newest events known",
        "metric": LEADING,
        "unit": "people" if curve.people == curve.queries else "queries",
        "variants": list(curve.means),
        "groups": [
            {
                "group": str(length),
                "count": curve.queries,
                "people": curve.people,
                "means": {variant: asdict(means[place]) for variant, means in curve.means.items()},
            }
            for place, length in enumerate(curve.lengths)
        ],
    }


def _example(example: Example) -> Figures:
    lists = {run: [[title, hit] for title, hit in rows] for run, rows in example.lists.items()}
    return {**asdict(example), "lists": lists}


def at_k(figures: Figures, lengths: Sequence[int]) -> dict[str, dict[str, dict[int, float]]]:
    """Each curve's mean at the `lengths`, 1 to 100, by variant, curve and length."""
    return {
        variant: {curve: {k: curves[curve][k - 1] for k in lengths} for curve in CURVES} for variant, curves in figures["curves"].items()
    }


def _intervals(comparison: Comparison) -> dict[str, dict[str, Mapping[str, float]]]:
    return {
        name: {metric: asdict(interval) for metric, interval in judgement.intervals.items()}
        for name, judgement in comparison.judgements.items()
    }


def break_down_figures(broken: BreakDown) -> Figures:
    """A break-down as JSON has it."""
    return {
        "by": broken.by,
        "metric": broken.metric,
        "unit": broken.unit,
        "variants": list(broken.variants),
        "groups": [
            {
                "group": group.name,
                "count": group.count,
                "people": group.people,
                "means": {variant: asdict(interval) for variant, interval in group.means.items()},
            }
            for group in broken.groups
        ],
    }


def _blend(evaluation: Evaluation) -> Figures:
    """Weights by source for each length of history, who set them, and what the ranker goes by, where one was trained."""
    learnt = evaluation.learnt
    by_placement = learnt is None or evaluation.placement.blend == "weights"
    if by_placement:
        weights = {source.key: list(getattr(evaluation.placement.weights, source.key)) for source in SourceName}
    else:
        assert learnt is not None
        weights = {source.key: learnt.blend.weights[:, place].astype(float).tolist() for place, source in enumerate(SourceName)}
    return {
        "by": "placement" if by_placement else "learning",
        "history_from": list(HISTORY_BUCKETS),
        "weights": weights,
        "queries": 0 if learnt is None else learnt.queries,
        "ranker": learnt is not None and not by_placement and learnt.blend.trees is not None,
        "ranker_gain": None if learnt is None or learnt.gain is None else asdict(learnt.gain),
        "importance": {} if learnt is None else dict(sorted(learnt.importance.items(), key=lambda entry: -entry[1])),
    }


def _compared(comparison: Comparison, name: str, profile: str, placement: Placement) -> Figures:
    """The blend of the judged run less the other's, for each of `COMPARED`."""
    ours, theirs = comparison.judgements[BLEND], comparison.judgements[OTHER]
    people = comparison.held_out.people
    single = [
        randomisation_test(ours.values[metric], theirs.values[metric], np.random.default_rng(0), people=people) for metric in COMPARED
    ]
    return {
        "file": name,
        "profile": profile,
        "placement": {"name": placement.name, "version": placement.version},
        "metrics": {
            metric: {
                "ours": asdict(ours.intervals[metric]),
                "theirs": asdict(theirs.intervals[metric]),
                "difference": {**asdict(comparison.blend_over(OTHER, metric=metric)), "p": p},
            }
            for metric, p in zip(COMPARED, holm(single).tolist(), strict=True)
        },
    }
