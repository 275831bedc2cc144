"""One set of the quality benchmark: read, cut, fit, and judge through the serving engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.bench.collected import EXHAUSTIVE, Collected, Values
from eval.bench.genre_baseline import genre_popularity_recall
from eval.bench.memory import Together, forget_peak, peak_mb
from eval.bench.result import Costs, Result
from eval.bench.sets import Benchmark
from eval.bench.stages import spent_s
from eval.datasets.dataset import Dataset
from eval.truncation import truncated
from indexing.embedding import embed_items, find_embedder
from indexing.fitting import Fitted, fit
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.feeds import SourceName
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemState
from recommender.judging import HeldOut, judge
from recommender.judging.cuts import Split
from recommender.judging.replay import BLEND, VARIANTS
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

MANY = 5_000
"""As many candidates of each source as a placement may have, all of which are ranked, to see what serving with fewer costs."""
NEWEST = (0, 1, 2, 3, 5, 10, 20, 50)
"""Events of each history that are left in the cold-start curve."""


@dataclass(frozen=True)
class Scope:
    """How much is judged. `people`: queries on which sources are compared at the most; `ablate`: also without each source."""

    people: int = 2_000
    ablate: bool = False


def measure(
    benchmark: Benchmark,
    cache: Path,
    settings: BuildSettings,
    placement: Placement,
    report: Reporter,
    scope: Scope,
    begin: Callable[[int], None],
) -> Result:
    """Fit `settings` to a set and judge `placement` on its test part; sources alone, ablations, shortened histories and what more
    candidates would score on a sample of those judged.

    `begin` is told how many queries there are before the first is judged. Raises `InvalidInput` for a folder that does not hold the set.
    """
    assert benchmark.splits is not None
    with report.stage(f"{benchmark.name}: read"):
        dataset = benchmark.read()
        splits = benchmark.splits(dataset)
    catalogue, vectors, has_vector = embedded_catalogue(benchmark, dataset, cache, settings, report)
    collected, clock, fitted = Collected(), Clock(), None
    for number, split in enumerate(splits, 1):
        name = benchmark.name if len(splits) == 1 else f"{benchmark.name} {number}/{len(splits)}"
        with report.stage(f"{name}: fit") as advance, clock.fitting():
            fitted = fit(catalogue, vectors, has_vector, split.training, settings, placement, progress=advance)
        if number == 1:
            begin(sum(len(each.held_out) for each in splits))
        with report.stage(f"{name}: judge") as advance:
            _judge(collected, benchmark, fitted, settings, split, placement, scope, advance)
    assert fitted is not None
    return collected.result(benchmark, fitted.learnt, fitted.contents.blend, clock.costs(), notes_of(benchmark, dataset, has_vector))


def notes_of(benchmark: Benchmark, dataset: Dataset, has_vector: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """What is to be known of the data, a sentence each."""
    notes = [f"{len(dataset.people_ids):,} people, {len(dataset.items):,} items, {has_vector.mean():.0%} of them with text"]
    if benchmark.people is not None and benchmark.people != len(dataset.people_ids):
        notes.append(
            f"the published figures are of a set of {benchmark.people:,} people, this one has {len(dataset.people_ids):,}: it is another"
        )
    return tuple(notes)


def embedded_catalogue(
    benchmark: Benchmark, dataset: Dataset, cache: Path, settings: BuildSettings, report: Reporter
) -> tuple[Catalogue, VectorIndex, npt.NDArray[np.bool_]]:
    """The items of a set as a catalogue, their vectors, and which of them have one, shape (n,)."""
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(dataset.items)])
    with report.stage(f"{benchmark.name}: embed") as advance:
        embedded = embed_items(dataset.items, lambda: find_embedder(settings.embedder, settings.embed_precision), cache, progress=advance)
        vectors = embedded.indexed(settings)
    return catalogue, vectors, embedded.has_vector


@dataclass(eq=False)
class Clock:
    """What fits took, one after the other, and the memory of everything since the process began; of processes that fits started, too."""

    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    fit_mb: float = 0.0
    whole_mb: float = 0.0
    by_itself: bool = True

    @contextmanager
    def fitting(self) -> Iterator[None]:
        """Measure what the block takes, as one fit."""
        self.whole_mb = max(self.whole_mb, peak_mb())
        self.by_itself = forget_peak() and self.by_itself
        wall, processor = time.monotonic(), spent_s()
        with Together() as together:
            yield
        self.walls.append(time.monotonic() - wall)
        self.processors.append(spent_s() - processor)
        self.fit_mb = max(self.fit_mb, peak_mb(), together.most_mb)

    def costs(self) -> Costs:
        """All of it; the longest fit counts."""
        note = "" if self.by_itself else "memory while fitting counts all since the set's process began, as this system tells it no finer"
        whole = max(self.whole_mb, self.fit_mb, peak_mb())
        return Costs(max(self.walls), max(self.processors), len(self.walls), self.fit_mb, whole, note)


def heard_sources(fitted: Fitted, placement: Placement) -> list[SourceName]:
    """The sources that have a weight in any bucket: of the learned blend where one was learnt and is served, else of the placement."""
    blend = fitted.contents.blend
    if blend is not None and placement.blend == "learned":
        return [source for source in SourceName if blend.weights[:, source - 1].any()]
    return [source for source in SourceName if any(getattr(placement.weights, source.key))]


def sample(count: int, most: int, seed: int) -> npt.NDArray[np.intp]:
    """At most `most` places of 0 … `count` - 1, drawn at random, ascending."""
    drawn: npt.NDArray[np.intp] = np.sort(np.random.default_rng(seed).choice(count, min(most, count), replace=False)).astype(np.intp)
    return drawn


def _judge(
    collected: Collected,
    benchmark: Benchmark,
    fitted: Fitted,
    settings: BuildSettings,
    split: Split,
    placement: Placement,
    scope: Scope,
    advance: Callable[[int, int], None],
) -> None:
    engine, held_out, leading = Recommender.unpublished(fitted.contents, settings), split.held_out, benchmark.leading
    places = sample(len(held_out), scope.people, settings.seed)
    some = held_out.chosen(places)
    rivals = [name for name in VARIANTS if name != BLEND]
    heard = heard_sources(fitted, placement) if scope.ablate else []
    total, done = len(held_out) + len(some) * (len(rivals) + len(heard) + len(NEWEST) + 1), 0

    def values_of(who: HeldOut, in_placement: Placement, **how: object) -> Mapping[str, Values]:
        nonlocal done
        before = done
        values = judge(engine, who, in_placement, progress=lambda n: advance(before + n, total), **how).values  # type: ignore[arg-type]
        done = before + len(who)
        return values

    collected.add_people(held_out, some)
    collected.heard |= {source.key for source in heard}
    whole = values_of(held_out, placement)
    for metric, values in whole.items():
        collected.whole.setdefault(metric, []).append(values)
    ours = whole[leading][places]
    collected.singles.setdefault(BLEND, []).append(ours)
    for name in rivals:
        collected.singles.setdefault(name, []).append(values_of(some, placement, variant=name)[leading])
    for source in SourceName if scope.ablate else ():
        rest, name = frozenset(SourceName) - {source}, f"without {source.key}"
        # What has no say in this window is not missed.
        without = values_of(some, placement, variant=name, sources=rest)[leading] if source in heard else ours
        collected.without.setdefault(source.key, []).append(without)
    for newest in NEWEST:
        collected.shortened.setdefault(newest, []).append(values_of(truncated(some, newest), placement)[leading])
    more = placement.model_copy(update={"candidates": MANY, "ranker_depth": MANY if placement.ranker_depth else 0})
    collected.others.setdefault(EXHAUSTIVE, []).append(values_of(some, more)[leading])
    if benchmark.by_genre:
        collected.rival.append(genre_popularity_recall(fitted.contents, held_out, 20))
