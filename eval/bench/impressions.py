"""The benchmark of impressions, judged as they were lived: one after the other, by an engine whose counts are kept up to date.

What was shown is ranked anew, with the history as of then. A blend for that is learnt in the same way, on earlier impressions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from eval.bench.quality import Figure, Result, Values, by_length, embedded_catalogue, longest_weights, peak_mb
from eval.bench.sets import Benchmark
from eval.datasets.dataset import SECOND_US, Dataset, events_of_type
from eval.datasets.impressions import Impressions
from indexing.blending.blending import Learnt, blend_of_samples
from indexing.blending.samples import gather, joined
from indexing.counting import counts
from indexing.fitting import fit
from indexing.learning import learn
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.judging import HeldOut, bootstrap_mean, judge, paired_difference, randomisation_test
from recommender.judging.metrics import ndcg, reciprocal_rank
from recommender.judging.replay import BLEND, DEPTH
from recommender.people import HISTORY_LIMIT, History, empty_history
from recommender.placements import Placement
from recommender.profile import BuildSettings

STEP_S = 300
"""Seconds after which counts are taken anew."""
SHARES = (0.6, 0.8, 1.0)
"""Of the impressions, in order of time: the blend is learnt from the first to the second of these, and judged to the third."""
FEED_BLEND = "blend of feeds"
"""The blend as a build learns it, from what people took up of the whole catalogue."""
VARIANTS = ("popularity", "response")


@dataclass(frozen=True, eq=False)
class Lived:
    """The impressions of a set and what was known at each.

    `clicks`: of everybody, by person number, oldest first. `counted`: what counts are taken of, events whose times are real.
    """

    impressions: Impressions
    clicks: dict[int, History]
    counted: EventTable
    settings: BuildSettings
    step_s: int

    @classmethod
    def of(cls, dataset: Dataset, settings: BuildSettings, step_s: int) -> Lived:
        """Raises `InvalidInput` for a set without impressions."""
        if dataset.impressions is None:
            raise InvalidInput("dataset", dataset.name, "a set that says what was shown")
        impressions = dataset.impressions
        return cls(impressions, dataset.events.by_person(), impression_events(impressions), settings, step_s)

    def moment(self, share: float) -> int:
        """The time (µs) before which `share`, in (0, 1], of the impressions lie; after all of them for 1."""
        place = int(share * len(self.impressions))
        return int(self.impressions.at[place]) if place < len(self.impressions) else int(self.impressions.at[-1]) + 1

    @property
    def has_order(self) -> npt.NDArray[np.bool_]:
        """Which impressions can be ordered rightly or wrongly, shape (m,): something was clicked and something not."""
        clicked = np.add.reduceat(self.impressions.clicked.astype(np.int64), self.impressions.offsets[:-1])
        return (clicked > 0) & (clicked < np.diff(self.impressions.offsets))

    def steps(self, engine: Recommender, start: int, end: int) -> Iterator[tuple[Recommender, HeldOut]]:
        """The impressions of [`start`, `end`) (µs) that have an order, step by step, each with the engine of that step.

        Its counts are of all that happened before the step began; the engine is otherwise as given.
        """
        at, length = self.impressions.at, self.step_s * SECOND_US
        places = np.flatnonzero((at >= start) & (at < end) & self.has_order)
        moments, first = np.unique(at[places] // length * length, return_index=True)
        for moment, of_step in zip(moments.tolist(), np.split(places, first[1:]), strict=True):
            known = counts(self.counted.before(moment), engine.contents.catalogue, self.settings)
            yield engine.with_counts(*known), self._held_out(of_step, moment)

    def _held_out(self, places: npt.NDArray[np.intp], moment: int) -> HeldOut:
        histories = [self._history(int(self.impressions.person[place]), int(self.impressions.at[place])) for place in places]
        shown = [slice(int(self.impressions.offsets[place]), int(self.impressions.offsets[place + 1])) for place in places]
        return HeldOut(
            people=self.impressions.person[places],
            histories=histories,
            consumed=[BitMap(history["item"]) for history in histories],
            dismissed=[BitMap() for _ in places],
            targets=[np.unique(self.impressions.item[part][self.impressions.clicked[part]]) for part in shown],
            cut=moment,
            candidates=[np.unique(self.impressions.item[part]) for part in shown],
            moments=self.impressions.at[places],
        )

    def _history(self, person: int, at: int) -> History:
        clicks = self.clicks.get(person, empty_history())
        return clicks[: int(np.searchsorted(clicks["at"], at))][-HISTORY_LIMIT:]


def impression_events(impressions: Impressions) -> EventTable:
    """An impression for each shown item and a click for each clicked one, all at the time of showing."""
    sizes = np.diff(impressions.offsets)
    person, at = np.repeat(impressions.person, sizes).astype(np.int64), np.repeat(impressions.at, sizes)
    item, clicked = impressions.item.astype(np.int64), impressions.clicked
    return events_of_type(
        np.repeat(np.array([EventType.IMPRESSION, EventType.CLICK], dtype=np.uint8), [len(item), int(clicked.sum())]),
        np.append(person, person[clicked]),
        np.append(item, item[clicked]),
        np.append(at, at[clicked]),
    )


def with_shows(dataset: Dataset) -> EventTable:
    """The events of a set and, besides, what was shown."""
    assert dataset.impressions is not None
    shown = impression_events(dataset.impressions)
    both = [shown.where(shown.type == EventType.IMPRESSION), dataset.events]
    names = ("person", "item", "type", "value", "at", "consent")
    columns = {name: np.concatenate([getattr(table, name) for table in both]) for name in names}
    return EventTable.sorted(**columns, sequence=np.arange(len(columns["person"]), dtype=np.int64))


def for_slates(placement: Placement, impressions: Impressions) -> Placement:
    """`placement` with all that was shown ranked, read before or not, and none of it beyond the ranker's reach."""
    most = int(max(np.diff(impressions.offsets).max(), placement.candidates))
    return placement.model_copy(update={"repeat": "allowed", "candidates": most, "ranker_depth": most})


def learn_slate_blend(lived: Lived, engine: Recommender, placement: Placement, start: int, end: int) -> Learnt | None:
    """The blend that orders the impressions of [`start`, `end`) best; `engine` has seen what was before, its counts are live.

    None with too few impressions to tell.
    """
    depth = int(np.diff(lived.impressions.offsets).max())
    parts = [gather(counted, [held_out], placement, depth) for counted, held_out in lived.steps(engine, start, end)]
    if sum(map(len, parts)) < lived.settings.blending.fewest:
        return None
    return blend_of_samples(joined(parts), lived.settings.blending, seed=lived.settings.seed)


def measure_impressions(
    benchmark: Benchmark,
    folder: Path,
    cache: Path,
    settings: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    step_s: int = STEP_S,
    shares: tuple[float, float, float] = SHARES,
) -> Result:
    """Fit `settings` to what lies before the impressions that are judged, and rank each of these with counts taken every `step_s` seconds.

    `shares` as `SHARES`. Raises `InvalidInput` for a folder that does not hold the set.
    """
    with report.stage(f"{benchmark.name}: read"):
        dataset = benchmark.read(folder)
        lived, events = Lived.of(dataset, settings, step_s), with_shows(dataset)
    catalogue, vectors, has_vector = embedded_catalogue(benchmark, dataset, cache, settings, report)
    inner, cut, end = map(lived.moment, shares)
    placement, started = for_slates(placement, lived.impressions), time.process_time()
    with report.stage(f"{benchmark.name}: learn to order what is shown"):
        engine = Recommender.unpublished(learn(catalogue, vectors, has_vector, events.before(inner), settings), settings)
        learnt = learn_slate_blend(lived, engine, placement, inner, cut)
    with report.stage(f"{benchmark.name}: fit") as advance:
        fitted = fit(catalogue, vectors, has_vector, events.before(cut), settings, placement, progress=advance)
    fit_s = time.process_time() - started
    blend = learnt.blend if learnt else fitted.contents.blend
    within = (lived.impressions.at >= cut) & (lived.impressions.at < end)
    total, excluded = int((within & lived.has_order).sum()), int((within & ~lived.has_order).sum())
    of_feeds = Recommender.unpublished(fitted.contents, settings)
    of_slates = Recommender.unpublished(replace(fitted.contents, blend=blend), settings)
    judged = _Judged.empty()
    with report.stage(f"{benchmark.name}: judge") as advance:
        for counted, held_out in lived.steps(of_slates, cut, end):
            judged.add(held_out, of_feeds.with_counts(*_counts_of(counted)), counted, placement)
            advance(len(judged), total)
    return judged.result(benchmark, learnt, longest_weights(blend), fit_s, excluded, step_s)


def _counts_of(engine: Recommender) -> tuple[npt.NDArray[np.float32], ...]:
    return engine.contents.popularity, engine.contents.recent_popularity, engine.contents.response


METRICS: dict[str, Callable[[npt.NDArray[np.bool_], npt.NDArray[np.int64]], Values]] = {
    "mrr@100": lambda hits, relevant: reciprocal_rank(hits, relevant, DEPTH),
    "ndcg@5": lambda hits, relevant: ndcg(hits, relevant, 5),
    "ndcg@10": lambda hits, relevant: ndcg(hits, relevant, 10),
}


@dataclass(frozen=True, eq=False)
class _Judged:
    """Values by variant and metric, step after step; whose they were, and how long the histories."""

    values: dict[str, dict[str, list[Values]]]
    people: list[npt.NDArray[np.uint32]]
    lengths: list[int]

    @classmethod
    def empty(cls) -> _Judged:
        return cls({name: {"auc": [], **{metric: [] for metric in METRICS}} for name in (*VARIANTS, FEED_BLEND, BLEND)}, [], [])

    def __len__(self) -> int:
        return len(self.lengths)

    def add(self, held_out: HeldOut, of_feeds: Recommender, of_slates: Recommender, placement: Placement) -> None:
        for name, into in self.values.items():
            engine = of_feeds if name == FEED_BLEND else of_slates
            judgement = judge(engine, held_out, placement, variant=name if name in VARIANTS else BLEND)
            into["auc"].append(judgement.values["auc"])
            for metric, worked_out in METRICS.items():
                into[metric].append(worked_out(judgement.hits, judgement.relevant))
        self.people.append(held_out.people)
        self.lengths.extend(len(history) for history in held_out.histories)

    def result(
        self, benchmark: Benchmark, learnt: Learnt | None, weights: dict[str, float], fit_s: float, excluded: int, step_s: int
    ) -> Result:
        people, rng = np.concatenate(self.people), np.random.default_rng(0)
        ours = {metric: np.concatenate(parts) for metric, parts in self.values[BLEND].items()}
        leading = benchmark.measures[0].metric
        all_of = {name: np.concatenate(parts[leading]) for name, parts in self.values.items()}
        return Result(
            benchmark=benchmark,
            people=len(people),
            figures=tuple(Figure(m, bootstrap_mean(ours[m.metric], rng, people=people)) for m in benchmark.measures),
            leading=leading,
            singles={name: bootstrap_mean(values, rng, people=people) for name, values in all_of.items()},
            leads={
                name: (
                    paired_difference(all_of[BLEND], values, rng, people=people),
                    randomisation_test(all_of[BLEND], values, rng, people=people),
                )
                for name, values in all_of.items()
                if name != BLEND
            },
            without={},
            exhaustive=None,
            by_length=by_length(np.array(self.lengths, dtype=np.int64), all_of[BLEND], rng),
            windows=1,
            fit_s=fit_s,
            peak_mb=peak_mb(),
            weights=weights,
            ranker=learnt is not None and learnt.blend.trees is not None,
            ranker_gain=learnt.gain if learnt else None,
            importance=dict(learnt.importance) if learnt else {},
            against={},
            notes=(
                f"counts taken every {step_s} s of all that was before; {len(np.unique(people)):,} people; "
                f"{excluded:,} impressions with no or only clicks left out",
            ),
        )
