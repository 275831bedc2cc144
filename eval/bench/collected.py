"""Values of all windows or steps of a set, and what they come to. A person who is judged several times counts as one in intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eval.bench.measures import Kind, Measure
from eval.bench.ratios import ratio_of_means
from eval.bench.result import Costs, Group, Result, Row
from eval.bench.sets import Benchmark
from eval.bench.verdicts import SIGNIFICANT, row_of
from eval.breakdowns import LENGTHS
from indexing.blending.blending import Learnt
from recommender.feeds import SourceName
from recommender.judging import HeldOut, Interval, bootstrap_mean, bootstrap_means, holm, paired_difference, randomisation_test
from recommender.judging.replay import BLEND
from recommender.ranking import Blend

Key = TypeVar("Key", str, int)
Values = npt.NDArray[np.float64]
POPULARITY = "popularity"
EXHAUSTIVE = "exhaustive"


@dataclass(eq=False)
class Collected:
    """Values as they come, one array a window or step.

    Of everybody judged: `whole`, the blend by metric, and `rival`, what it is measured against beside sources. Of the sample, in the
    leading metric: `singles` with the blend among them; `without` a source, of which only those that were `heard` anywhere count; `others`
    that are no single source, such as `EXHAUSTIVE`; `shortened`, the blend by the number of newest events left.
    """

    whole: dict[str, list[Values]] = field(default_factory=dict)
    rival: list[Values] = field(default_factory=list)
    people: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    singles: dict[str, list[Values]] = field(default_factory=dict)
    without: dict[str, list[Values]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    others: dict[str, list[Values]] = field(default_factory=dict)
    shortened: dict[int, list[Values]] = field(default_factory=dict)
    some: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    lengths: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def add_people(self, held_out: HeldOut, some: HeldOut) -> None:
        """Note who is judged and who of them is in the sample."""
        self.people.append(held_out.people)
        self.some.append(some.people)
        self.lengths.append(np.array([len(history) for history in some.histories], dtype=np.int64))

    def result(self, benchmark: Benchmark, learnt: Learnt | None, blend: Blend | None, costs: Costs, notes: tuple[str, ...] = ()) -> Result:
        """What all came to; `learnt` and `blend` are of the last fit."""
        rng, some = np.random.default_rng(0), np.concatenate(self.some)
        singles, ours = _joined(self.singles), np.concatenate(self.singles[BLEND])
        shortened, others = _joined(self.shortened), _joined(self.others)
        without = _joined({name: parts for name, parts in self.without.items() if name in self.heard})
        means = bootstrap_means(singles, rng, people=some)
        leads = differences(ours, {name: values for name, values in singles.items() if name != BLEND}, some)
        best = max(leads, key=lambda name: means[name].mean)
        shorter = {newest: {BLEND: values, POPULARITY: singles[POPULARITY]} for newest, values in shortened.items()}
        everybody, lengths = np.concatenate(self.people), np.concatenate(self.lengths)
        exhaustive = None
        if EXHAUSTIVE in others:
            both = bootstrap_means({EXHAUSTIVE: others.pop(EXHAUSTIVE), BLEND: ours}, rng, people=some)
            exhaustive = (both[EXHAUSTIVE], both[BLEND])
        return Result(
            benchmark=benchmark,
            queries=len(everybody),
            people=len(np.unique(everybody)),
            rows=tuple(self._rows(benchmark, costs, best, leads)),
            leading=benchmark.leading,
            sampled=len(some),
            singles=means,
            leads=leads,
            best=best,
            not_beaten=tuple(name for name, (lead, p) in leads.items() if p >= SIGNIFICANT or lead.mean <= 0),
            without=differences(ours, without, some) if without else {},
            exhaustive=exhaustive,
            by_length=by_length(lengths, {BLEND: ours, best: singles[best]}, some),
            cold_start={newest: _group(pair, some) for newest, pair in shorter.items()},
            costs=costs,
            weights=weights_of(blend),
            ranker=blend is not None and blend.trees is not None,
            ranker_gain=learnt.gain if learnt else None,
            importance=dict(learnt.importance) if learnt else {},
            notes=(*notes, *(self._beside(name, values, ours, some) for name, values in others.items())),
        )

    def _rows(self, benchmark: Benchmark, costs: Costs, best: str, leads: Mapping[str, tuple[Interval, float]]) -> list[Row]:
        whole, people, rng = _joined(self.whole), np.concatenate(self.people), np.random.default_rng(0)
        means = bootstrap_means({m.metric: whole[m.metric] for m in benchmark.measures if m.metric}, rng, people=people)
        some, rows = np.concatenate(self.some), []
        for measure in benchmark.measures:
            match measure.kind:
                case Kind.MEAN:
                    rows.append(row_of(measure, means[measure.metric]))
                case Kind.LEAD:
                    ours, theirs = np.concatenate(self.singles[BLEND]), np.concatenate(self.singles[best])
                    times = ratio_of_means(ours, theirs, rng, people=some)
                    rows.append(row_of(measure, Interval(times.mean - 1, times.low - 1, times.high - 1), leads[best][1]))
                case Kind.TIMES:
                    rival = np.concatenate(self.rival)
                    p = randomisation_test(whole[measure.metric], rival, rng, people=people)
                    rows.append(row_of(measure, ratio_of_means(whole[measure.metric], rival, rng, people=people), p))
                case Kind.OVER:
                    rows.append(self._over_popularity(measure, whole[measure.metric], people, leads))
                case Kind.SECONDS:
                    rows.append(row_of(measure, Interval(costs.wall_s, costs.wall_s, costs.wall_s)))
                case Kind.GIGABYTES:
                    rows.append(row_of(measure, Interval(*[costs.fit_mb / 1024] * 3)))
        return rows

    def _over_popularity(
        self, measure: Measure, ours: Values, people: npt.NDArray[np.uint32], leads: Mapping[str, tuple[Interval, float]]
    ) -> Row:
        """The blend's lead over popularity of everybody; its p is corrected as if all sources had been compared on everybody."""
        rival, rng = np.concatenate(self.rival), np.random.default_rng(0)
        p = min(1.0, len(leads) * randomisation_test(ours, rival, rng, people=people))
        return row_of(measure, paired_difference(ours, rival, rng, people=people), p)

    def _beside(self, name: str, values: Values, ours: Values, some: npt.NDArray[np.uint32]) -> str:
        rng = np.random.default_rng(0)
        theirs, lead = bootstrap_mean(values, rng, people=some), paired_difference(ours, values, rng, people=some)
        return f"{name}: {theirs.mean:.4f}; the blend less that {lead.mean:+.4f} [{lead.low:+.3f}, {lead.high:+.3f}]"


def differences(ours: Values, theirs: Mapping[str, Values], people: npt.NDArray[np.uint32]) -> dict[str, tuple[Interval, float]]:
    """`ours` less each of `theirs`, all of shape (q,) over the same `people`, with p corrected by Holm for all of them."""
    rng = np.random.default_rng(0)
    chances = holm([randomisation_test(ours, values, rng, people=people) for values in theirs.values()]).tolist()
    return {
        name: (paired_difference(ours, values, rng, people=people), p) for (name, values), p in zip(theirs.items(), chances, strict=True)
    }


def by_length(lengths: npt.NDArray[np.int64], values: Mapping[str, Values], people: npt.NDArray[np.uint32]) -> dict[str, Group]:
    """Queries and means of `values` by length of history, where there are any; columns of shape (q,) over the same `people`."""
    found = {}
    for name, (shortest, longest) in LENGTHS.items():
        here = (lengths >= shortest) & (lengths <= longest)
        if here.any():
            found[name] = _group({variant: column[here] for variant, column in values.items()}, people[here])
    return found


def weights_of(blend: Blend | None) -> dict[str, tuple[float, ...]]:
    """The weights of each source that has any, a weight for each bucket of history length; empty without a blend."""
    if blend is None:
        return {}
    columns = {source.key: blend.weights[:, source - 1] for source in SourceName}
    return {name: tuple(float(weight) for weight in column) for name, column in columns.items() if column.any()}


def _joined(columns: Mapping[Key, list[Values]]) -> dict[Key, Values]:
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _group(values: Mapping[str, Values], people: npt.NDArray[np.uint32]) -> Group:
    return Group(len(people), bootstrap_means(values, np.random.default_rng(0), people=people))
