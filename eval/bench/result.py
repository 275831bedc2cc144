"""What a set came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eval.bench.measures import Measure
from eval.bench.sets import Benchmark
from recommender.judging import Interval


@dataclass(frozen=True, eq=False)
class Row:
    """One measured value next to what it is measured by. `p`: of the difference, where the measure asks for one. `verdict`: in words, ""
    where it stands beside nothing."""

    measure: Measure
    interval: Interval
    verdict: str
    p: float | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Queries of histories of one length, or all of them cut to one: how many, and means by variant."""

    queries: int
    means: Mapping[str, Interval]


@dataclass(frozen=True, eq=False)
class Costs:
    """`wall_s`, `processor_s`: seconds that the longest fit took, and those of all its threads; `fits`: how many there were. `fit_mb`,
    `whole_mb`: memory at its peak, MB, while fitting, and with reading and judging. `note`: how it was measured, where not as meant."""

    wall_s: float
    processor_s: float
    fits: int
    fit_mb: float
    whole_mb: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    """What a set came to.

    `queries` that were judged, of `people` different people. `rows`: the set's table. `leading`: the metric of all that follows, which is
    over the same sample of `sampled` queries. `singles`: means of each source alone and of the blend; `leads`: the blend less each, with p
    corrected by Holm for all of them; `best`: the best single source; `not_beaten`: those that the blend does not beat at p < .05.
    `without`: the blend less itself without one source, with p corrected likewise; empty where not asked for. `exhaustive`: the blend of
    many more candidates, and as served; None where all are ranked anyway. `by_length`: the blend and the best single source.
    `cold_start`: the blend and popularity, by how many of their newest events are left to everybody. `weights`: by source, a weight for
    each bucket of history length, of the last fit; `ranker`: whether trees ordered the leading candidates, `ranker_gain`: by how much they
    did better on people held out; `importance`: by feature. `notes`: what else is to be known, a sentence each.
    """

    benchmark: Benchmark
    queries: int
    people: int
    rows: tuple[Row, ...]
    leading: str
    sampled: int
    singles: Mapping[str, Interval]
    leads: Mapping[str, tuple[Interval, float]]
    best: str
    not_beaten: tuple[str, ...]
    without: Mapping[str, tuple[Interval, float]]
    exhaustive: tuple[Interval, Interval] | None
    by_length: Mapping[str, Group]
    cold_start: Mapping[int, Group]
    costs: Costs
    weights: Mapping[str, tuple[float, ...]]
    ranker: bool
    ranker_gain: Interval | None
    importance: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> dict[str, float]:
        """The means of the metrics themselves, by name, as the log keeps them."""
        return {row.measure.metric: row.interval.mean for row in self.rows if row.measure.kind.value == "mean"}
