"""One set of the quality benchmark: read, cut, fit, and judge through the serving engine."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.bench.genre_baseline import genre_popularity_recall
from eval.bench.sets import Benchmark, Measure
from eval.datasets.dataset import Dataset
from indexing.embedding import embed_items, find_embedder
from indexing.fitting import Fitted, fit
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.feeds import SourceName
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemState
from recommender.judging import HeldOut, Interval, bootstrap_mean, judge, paired_difference, randomisation_test
from recommender.judging.replay import BLEND, VARIANTS
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking import Blend
from recommender.vectors import VectorIndex

LENGTHS = {"0": (0, 0), "1": (1, 1), "2-5": (2, 5), "6-20": (6, 20), "21+": (21, 10**9)}
"""Lengths of history by which figures are broken down, both ends included."""
EXHAUSTIVE = {"candidates": 5_000, "ranker_depth": 5_000}
"""What a placement is changed to, to see what the cut to the leading candidates costs."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Figure:
    """One measured value next to what it is measured by."""

    measure: Measure
    interval: Interval


@dataclass(frozen=True, eq=False)
class Result:
    """What a set came to.

    `figures`: of the blend over everybody. `singles`: by source, the leading metric over the people compared, `blend` among them;
    `leads`: the blend less each, with p. `without`: the blend less itself without one source. `exhaustive`: the blend with all
    candidates ranked, and the served one on the same people; None where all are ranked anyway. `by_length`: people and the leading
    metric. `windows`: how many fits. `fit_s`, `peak_mb`: seconds of processor time of one fit at the most, and the process's memory at
    its peak. `weights`: by source, of the longest histories' bucket, of the last fit; `ranker`: whether trees ordered the leading
    candidates. `against`: how many times the blend's figure is that of a rule that is no source, with p of the difference. `notes`:
    what else is to be known, a sentence each.
    """

    benchmark: Benchmark
    people: int
    figures: tuple[Figure, ...]
    leading: str
    singles: Mapping[str, Interval]
    leads: Mapping[str, tuple[Interval, float]]
    without: Mapping[str, Interval]
    exhaustive: tuple[Interval, Interval] | None
    by_length: Mapping[str, tuple[int, Interval]]
    windows: int
    fit_s: float
    peak_mb: float
    weights: Mapping[str, float]
    ranker: bool
    ranker_gain: Interval | None
    importance: Mapping[str, float]
    against: Mapping[str, tuple[Interval, float]]
    notes: tuple[str, ...] = ()


def measure(
    benchmark: Benchmark,
    folder: Path,
    cache: Path,
    settings: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    people: int,
    ablate: bool,
) -> Result:
    """Fit `settings` to the set in `folder` and judge `placement` on its test part; sources alone, ablations and what exhaustive
    candidates would score on at most `people` of those judged. Raises `InvalidInput` for a folder that does not hold the set."""
    assert benchmark.splits is not None
    with report.stage(f"{benchmark.name}: read"):
        dataset = benchmark.read(folder)
        splits = benchmark.splits(dataset)
    catalogue, vectors, has_vector = embedded_catalogue(benchmark, dataset, cache, settings, report)
    judged = _Judged(benchmark)
    fit_s, fitted = 0.0, None
    for number, split in enumerate(splits, 1):
        name = benchmark.name if len(splits) == 1 else f"{benchmark.name} {number}/{len(splits)}"
        with report.stage(f"{name}: fit") as advance:
            started = time.process_time()
            fitted = fit(catalogue, vectors, has_vector, split.training, settings, placement, progress=advance)
            fit_s = max(fit_s, time.process_time() - started)
        with report.stage(f"{name}: judge") as advance:
            judged.add(fitted, settings, split.held_out, placement, people=people, ablate=ablate, advance=advance)
    assert fitted is not None
    return judged.result(fitted, fit_s)


def embedded_catalogue(
    benchmark: Benchmark, dataset: Dataset, cache: Path, settings: BuildSettings, report: Reporter
) -> tuple[Catalogue, VectorIndex, npt.NDArray[np.bool_]]:
    """The items of a set as a catalogue, their vectors, and which of them have one, shape (n,)."""
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(dataset.items)])
    with report.stage(f"{benchmark.name}: embed") as advance:
        embedded = embed_items(dataset.items, lambda: find_embedder(settings.embedder, settings.embed_precision), cache, progress=advance)
        vectors = VectorIndex.build(embedded.vectors, exact_limit=settings.content.exact_limit, seed=settings.seed)
    return catalogue, vectors, embedded.has_vector


def by_length(lengths: npt.NDArray[np.int64], values: Values, rng: np.random.Generator) -> dict[str, tuple[int, Interval]]:
    """People and mean of `values`, both of shape (q,), by length of history, where there are any."""
    chosen = {name: (lengths >= shortest) & (lengths <= longest) for name, (shortest, longest) in LENGTHS.items()}
    return {name: (int(mask.sum()), bootstrap_mean(values[mask], rng)) for name, mask in chosen.items() if mask.any()}


def longest_weights(blend: Blend | None) -> dict[str, float]:
    """The weights above 0 of the longest histories' bucket, by source; empty without a blend."""
    if blend is None:
        return {}
    return {source.key: float(blend.weights[-1, source - 1]) for source in SourceName if blend.weights[-1, source - 1] > 0}


def peak_mb() -> float:
    """The process's memory at its peak, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Judged:
    """Values of all windows, one after the other; a person who is judged in several windows counts as one in intervals."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        self.leading = next((m.metric for m in benchmark.measures if m.metric.startswith("ndcg")), benchmark.measures[0].metric)
        self.whole: dict[str, list[Values]] = {}
        self.sampled: dict[str, list[Values]] = {}
        self.people: list[npt.NDArray[np.uint32]] = []
        self.some: list[npt.NDArray[np.uint32]] = []
        self.lengths: list[npt.NDArray[np.int64]] = []
        self.genre: list[Values] = []
        self.windows = 0

    def add(
        self,
        fitted: Fitted,
        settings: BuildSettings,
        held_out: HeldOut,
        placement: Placement,
        *,
        people: int,
        ablate: bool,
        advance: Callable[[int, int], None],
    ) -> None:
        engine = Recommender.unpublished(fitted.contents, settings)
        rng = np.random.default_rng(settings.seed)
        places = np.sort(rng.choice(len(held_out), min(people, len(held_out)), replace=False))
        some = held_out.chosen(places)
        blend = fitted.contents.blend
        rivals = [name for name in VARIANTS if name != BLEND]
        ablated = [source for source in SourceName if ablate and blend is not None and blend.weights[:, source - 1].any()]
        total, done = len(held_out) + len(some) * (len(rivals) + len(ablated) + 1), 0

        def judged_on(who: HeldOut, in_placement: Placement, **how: object) -> Mapping[str, Values]:
            nonlocal done
            before = done
            values = judge(engine, who, in_placement, progress=lambda n: advance(before + n, total), **how).values  # type: ignore[arg-type]
            done = before + len(who)
            return values

        whole = judged_on(held_out, placement)
        for metric, values in whole.items():
            self.whole.setdefault(metric, []).append(values)
        note = self.sampled.setdefault
        note(BLEND, []).append(whole[self.leading][places])
        for name in rivals:
            note(name, []).append(judged_on(some, placement, variant=name)[self.leading])
        for source in ablated:
            others = frozenset(SourceName) - {source}
            note(f"without {source.key}", []).append(
                judged_on(some, placement, variant=f"without {source.key}", sources=others)[self.leading]
            )
        note("exhaustive", []).append(judged_on(some, placement.model_copy(update=EXHAUSTIVE))[self.leading])
        if self.benchmark.by_genre:
            self.genre.append(genre_popularity_recall(fitted.contents, held_out, 20))
        self.people.append(held_out.people)
        self.some.append(some.people)
        self.lengths.append(np.array([len(history) for history in held_out.histories]))
        self.windows += 1

    def result(self, fitted: Fitted, fit_s: float) -> Result:
        whole = {metric: np.concatenate(parts) for metric, parts in self.whole.items()}
        sampled = {name: np.concatenate(parts) for name, parts in self.sampled.items() if len(parts) == self.windows}
        people, some, lengths = np.concatenate(self.people), np.concatenate(self.some), np.concatenate(self.lengths)
        rng = np.random.default_rng(0)
        singles = {name: values for name, values in sampled.items() if name in VARIANTS}
        learnt, blend = fitted.learnt, fitted.contents.blend
        return Result(
            benchmark=self.benchmark,
            people=len(people),
            figures=tuple(Figure(m, bootstrap_mean(whole[m.metric], rng)) for m in self.benchmark.measures),
            leading=self.leading,
            singles={name: bootstrap_mean(values, rng) for name, values in singles.items()},
            leads={
                name: (
                    paired_difference(sampled[BLEND], values, rng, people=some),
                    randomisation_test(sampled[BLEND], values, rng, people=some),
                )
                for name, values in singles.items()
                if name != BLEND
            },
            without={
                name: paired_difference(sampled[BLEND], values, rng, people=some)
                for name, values in sampled.items()
                if name.startswith("without ")
            },
            exhaustive=(bootstrap_mean(sampled["exhaustive"], rng), bootstrap_mean(sampled[BLEND], rng)),
            by_length=by_length(lengths, whole[self.leading], rng),
            windows=self.windows,
            fit_s=fit_s,
            peak_mb=peak_mb(),
            weights=longest_weights(blend),
            ranker=blend is not None and blend.trees is not None,
            ranker_gain=learnt.gain if learnt else None,
            importance=dict(learnt.importance) if learnt else {},
            against={"popularity of genre": _times(whole["recall@20"], np.concatenate(self.genre), people)} if self.genre else {},
        )


def _times(ours: Values, theirs: Values, people: npt.NDArray[np.uint32]) -> tuple[Interval, float]:
    """How many times `theirs` the mean of `ours` is, with a bootstrap interval over people, and p of the difference."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(ours), (2_000, len(ours)))
    ratios = ours[drawn].mean(axis=1) / np.maximum(theirs[drawn].mean(axis=1), 1e-12)
    low, high = np.quantile(ratios, [0.025, 0.975])
    ratio = float(ours.mean() / max(float(theirs.mean()), 1e-12))
    return Interval(ratio, float(low), float(high)), randomisation_test(ours, theirs, rng, people=people)
