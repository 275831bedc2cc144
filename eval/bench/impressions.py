"""The benchmark of impressions, judged as they were lived: one after the other, by an engine whose counts are kept up to date.

What was shown is ranked anew, with the history as of then. A blend for that is learnt in the same way, on earlier impressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from eval.bench.collected import POPULARITY, Collected
from eval.bench.quality import NEWEST, Clock, Scope, embedded_catalogue, heard_sources, notes_of, sample
from eval.bench.result import Result
from eval.bench.sets import Benchmark
from eval.datasets.dataset import SECOND_US, Dataset, events_of_type
from eval.datasets.impressions import Impressions
from eval.truncation import truncated
from indexing.blending.blending import Learnt, blend_of_samples
from indexing.blending.samples import gather, joined
from indexing.counting import counts
from indexing.fitting import Fitted, fit
from indexing.learning import learn
from indexing.pace import paced
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import EventType
from recommender.feeds import SourceName
from recommender.judging import VARIANTS, HeldOut, judge
from recommender.judging.replay import BLEND
from recommender.people import HISTORY_LIMIT, History, empty_history
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking import FEATURES

STEP_S = 300
"""Seconds after which counts are taken anew."""
SHARES = (0.6, 0.8, 1.0)
"""Of the impressions, in order of time: the blend is learnt from the first to the second of these, and judged to the third."""
CELLS = 2**27
"""A blend is learnt on so many features of candidates in all at the most, 512 MB of them."""
FEED_BLEND = "the blend of feeds, as a build learns it of the whole catalogue"


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

    @property
    def cuts(self) -> tuple[int, int, int]:
        """The times (µs) from which to which the blend is learnt, and from which to which it is judged: the second is both.

        What the publishers hold out is judged, and the newest part of the rest learnt from, as large a part of it as without them; where
        they hold out nothing, the impressions are cut at `SHARES`.
        """
        inner, cut, _ = SHARES
        if self.impressions.judged is None:
            return self._moment(inner), self._moment(cut), self._moment(1)
        learnt = int(np.flatnonzero(self.impressions.judged)[0])
        return self._moment(inner / cut * learnt / len(self.impressions)), int(self.impressions.at[learnt]), self._moment(1)

    def _moment(self, share: float) -> int:
        """The time (µs) before which `share`, in (0, 1], of the impressions lie; after all of them for 1."""
        place = int(share * len(self.impressions))
        return int(self.impressions.at[place]) if place < len(self.impressions) else int(self.impressions.at[-1]) + 1

    @property
    def has_order(self) -> npt.NDArray[np.bool_]:
        """Which impressions can be ordered rightly or wrongly, shape (m,): something was clicked and something not."""
        clicked = np.add.reduceat(self.impressions.clicked.astype(np.int64), self.impressions.offsets[:-1])
        return (clicked > 0) & (clicked < np.diff(self.impressions.offsets))

    def between(self, start: int, end: int) -> npt.NDArray[np.intp]:
        """Places of the impressions of [`start`, `end`) (µs) that have an order, oldest first."""
        return np.flatnonzero((self.impressions.at >= start) & (self.impressions.at < end) & self.has_order)

    def is_judged(self, cut: int, end: int) -> npt.NDArray[np.bool_]:
        """Which impressions are judged, orderable or not, shape (m,): those that the publishers hold out, else of [`cut`, `end`)."""
        held_out = self.impressions.judged
        within: npt.NDArray[np.bool_] = (self.impressions.at >= cut) & (self.impressions.at < end)
        return within if held_out is None else held_out

    def judged(self, cut: int, end: int) -> npt.NDArray[np.intp]:
        """Places of those of them that have an order, oldest first."""
        return np.flatnonzero(self.is_judged(cut, end) & self.has_order)

    def steps(self, engine: Recommender, places: npt.NDArray[np.intp]) -> Iterator[tuple[Recommender, HeldOut]]:
        """The impressions at `places`, ascending, step by step, each with the engine of that step.

        Its counts are of all that happened before the step began; the engine is otherwise as given.
        """
        at, length = self.impressions.at, self.step_s * SECOND_US
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

    Of many impressions it is learnt on some, drawn at random. None with too few of them to tell.
    """
    depth, places = int(np.diff(lived.impressions.offsets).max()), lived.between(start, end)
    places = places[sample(len(places), max(1, CELLS // (depth * len(FEATURES))), lived.settings.seed)]
    if len(places) < lived.settings.blending.fewest:
        return None
    parts = [gather(counted, [held_out], placement, depth) for counted, held_out in lived.steps(engine, places)]
    return blend_of_samples(joined(parts), lived.settings.blending, seed=lived.settings.seed)


def measure_impressions(
    benchmark: Benchmark,
    cache: Path,
    settings: BuildSettings,
    placement: Placement,
    report: Reporter,
    scope: Scope,
    begin: Callable[[int], None],
    *,
    step_s: int = STEP_S,
) -> Result:
    """Fit `settings` to what lies before the impressions that are judged, and rank each of these with counts taken every `step_s` seconds.

    `begin` as `measure` has it. Raises `InvalidInput` for a folder that does not hold the set.
    """
    with report.stage(f"{benchmark.name}: read"):
        dataset = benchmark.read()
        lived, events = Lived.of(dataset, settings, step_s), with_shows(dataset)
    catalogue, vectors, has_vector = embedded_catalogue(benchmark, dataset, cache, settings, report)
    inner, cut, end = lived.cuts
    # Half-lives are read off the events once, as a build does, and not anew at every step.
    lived = replace(lived, settings=paced(lived.counted.before(inner), catalogue, settings))
    places = lived.judged(cut, end)
    if not len(places):
        raise InvalidInput(benchmark.name, "no impression of something clicked and something not", "at least one after the cut")
    placement, clock = for_slates(placement, lived.impressions), Clock()
    with report.stage(f"{benchmark.name}: fit") as advance, clock.fitting():
        engine = Recommender.unpublished(learn(catalogue, vectors, has_vector, events.before(inner), settings), settings)
        learnt = learn_slate_blend(lived, engine, placement, inner, cut)
        del engine
        fitted = fit(catalogue, vectors, has_vector, events.before(cut), settings, placement, progress=advance)
    blend = learnt.blend if learnt else fitted.contents.blend
    of_slates = Fitted(replace(fitted.contents, blend=blend), learnt)
    begin(len(places))
    some = np.zeros(len(places), dtype=np.bool_)
    some[sample(len(places), scope.people, settings.seed)] = True
    heard = heard_sources(of_slates, placement) if scope.ablate else []
    judging = _Judging(
        Collected(heard={source.key for source in heard}),
        heard,
        placement,
        Recommender.unpublished(fitted.contents, settings),
        benchmark.leading,
    )
    with report.stage(f"{benchmark.name}: judge") as advance:
        done = 0
        for counted, held_out in lived.steps(Recommender.unpublished(of_slates.contents, settings), places):
            judging.add(held_out, np.flatnonzero(some[done : done + len(held_out)]), counted)
            done += len(held_out)
            advance(done, len(places))
    excluded = int(lived.is_judged(cut, end).sum()) - len(places)
    notes = (
        *notes_of(benchmark, dataset, has_vector),
        f"counts taken every {step_s} s of all that was before; {excluded:,} impressions with no or only clicks left out",
    )
    return judging.collected.result(benchmark, learnt or fitted.learnt, blend, clock.costs(), notes)


@dataclass(frozen=True, eq=False)
class _Judging:
    """Judges step after step; `heard`: sources to do without, `of_feeds`: the engine with the blend as a build learns it."""

    collected: Collected
    heard: list[SourceName]
    placement: Placement
    of_feeds: Recommender
    leading: str

    def add(self, held_out: HeldOut, places: npt.NDArray[np.intp], engine: Recommender) -> None:
        """Judge one step by the `engine` of that step; the queries at `places` are of the sample."""
        into, some, leading = self.collected, held_out.chosen(places), self.leading
        into.add_people(held_out, some)
        whole = judge(engine, held_out, self.placement)
        for metric, values in whole.values.items():
            into.whole.setdefault(metric, []).append(values)
        popular = judge(engine, held_out, self.placement, variant=POPULARITY).values[leading]
        into.rival.append(popular)
        into.singles.setdefault(BLEND, []).append(whole.values[leading][places])
        into.singles.setdefault(POPULARITY, []).append(popular[places])
        if not len(some):
            return
        for name in VARIANTS:
            if name not in (BLEND, POPULARITY):
                into.singles.setdefault(name, []).append(judge(engine, some, self.placement, variant=name).values[leading])
        for source in self.heard:
            rest, name = frozenset(SourceName) - {source}, f"without {source.key}"
            without = judge(engine, some, self.placement, variant=name, sources=rest).values[leading]
            into.without.setdefault(source.key, []).append(without)
        for newest in NEWEST:
            into.shortened.setdefault(newest, []).append(judge(engine, truncated(some, newest), self.placement).values[leading])
        contents = engine.contents
        of_feeds = self.of_feeds.with_counts(contents.popularity, contents.recent_popularity, contents.response)
        into.others.setdefault(FEED_BLEND, []).append(judge(of_feeds, some, self.placement).values[leading])
