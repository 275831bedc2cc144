"""Judging settings and placements through the serving engine, on the store's own events or on a public set; publishes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.cold_start import ColdStart, cold_start
from eval.learning_curve import Point, learning_curve
from eval.material import Material
from eval.pooling import pooled, pooled_people
from eval.rival import Rival
from eval.shown import for_shown
from eval.splitting import SHOWN, Cutting, splits_of
from indexing.blending.blending import Learnt
from indexing.embedding import embed_items, find_embedder
from indexing.fitting import Fitted, fit
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.feeds import SourceName
from recommender.judging import HeldOut, Judgement, judge
from recommender.judging.comparison import Comparison, compare
from recommender.judging.cuts import Split
from recommender.judging.replay import BLEND
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Window:
    """One fit and whom it was judged on. `fitted`: events learnt from; `training_counts`: of these by catalogue row, shape (n,);
    `dropped`: pairs of a given test part that are no targets; `excluded`: impressions that could not be ordered; `ranked`: how many of
    the blend's leading candidates trees ordered, so that their scores are probabilities."""

    name: str
    held_out: HeldOut
    fitted: int
    training_counts: npt.NDArray[np.int64]
    dropped: int
    excluded: int = 0
    ranked: int = 0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of it, over all `windows` together.

    `comparison`: each source alone and the blend. `ablation`: the blend, and without one source at a time; `compared`: the blend and the
    rival's, named "other"; None where not asked for. `learnt`: how the last window's blend came about, None where there was too
    little to learn one from. `learning_curve`: empty where not asked for; `cold_start`: of the last window, None where not asked for and
    where too few people have a history. `segments`: by person number. `warnings`: what whoever
    reads the figures has to know.
    """

    material: Material
    build: BuildSettings
    placement: Placement
    windows: Sequence[Window]
    comparison: Comparison
    learnt: Learnt | None
    ablation: Comparison | None = None
    rival: Rival | None = None
    compared: Comparison | None = None
    learning_curve: Sequence[Point] = ()
    cold_start: ColdStart | None = None
    segments: Mapping[int, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def window_of(self) -> npt.NDArray[np.int64]:
        """Place in `windows` of each judged query, shape (q,)."""
        return np.repeat(np.arange(len(self.windows)), [len(window.held_out) for window in self.windows])


OTHER = "other"
"""The rival's name among judgements."""


def evaluate(
    material: Material,
    build: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    cache: Path,
    cutting: Cutting | None = None,
    ablate: bool = False,
    rival: Rival | None = None,
    curve: bool = False,
    less_known: bool = False,
    segments: Mapping[int, str] | None = None,
    about_to_judge: Callable[[int], None] = lambda queries: None,
) -> Evaluation:
    """Fit `build` on what each window may learn from and judge every variant of `placement` on what people then took up.

    `cache`: folder of embedded texts. `ablate`: also judge the blend without each source. `rival`: also judge other settings on the same
    people. `curve`: also fit the last window on parts of its people. `less_known`: also judge with histories cut short.
    `about_to_judge` is told how many queries there are before anything is judged. With a placement that may show what was consumed
    before, that is to be found as well where it was taken up again. Raises `InvalidInput` where there is nothing to learn from or
    nobody to judge on, and for what `splits_of` refuses.
    """
    splits, warnings = splits_of(material, build, cutting or Cutting(), repeats=placement.repeat == "allowed")

    def asked(served: Placement) -> Placement:
        return for_shown(served, splits[0].held_out) if splits[0].name == SHOWN else served

    about_to_judge(sum(len(split.held_out) for split in splits))
    vectors = _vectors(material, build, cache, report)
    other_vectors = vectors
    if rival is not None and _embedding(rival.build) != _embedding(build):
        other_vectors = _vectors(material, rival.build, cache, report)
    judged: dict[str, list[Judgement]] = {}
    without: dict[str, list[Judgement]] = {}
    others: list[Judgement] = []
    fitted: Fitted | None = None
    windows = []
    for split in splits:
        suffix = "" if len(splits) == 1 else f", {split.name}"
        with report.stage(f"learn{suffix}") as advance:
            fitted = fit(material.catalogue, *vectors, split.training, build, placement, progress=advance)
        engine = Recommender.unpublished(fitted.contents, build)
        windows.append(_window(material, split, fitted, asked(placement)))
        with report.stage(f"judge{suffix}") as advance:
            comparison = compare(engine, split.held_out, asked(placement), lists=True, seed=build.seed, progress=advance)
        _add(judged, comparison.judgements)
        if ablate:
            _add(without, _ablated(engine, split.held_out, asked(placement), build.seed, report, f"leave sources out{suffix}"))
        if rival is not None:
            other = engine
            if rival.build != build:
                with report.stage(f"learn to compare{suffix}") as advance:
                    fit_of_rival = fit(material.catalogue, *other_vectors, split.training, rival.build, rival.placement, progress=advance)
                other = Recommender.unpublished(fit_of_rival.contents, rival.build)
            with report.stage(f"judge to compare{suffix}") as advance:
                others.append(judge(other, split.held_out, asked(rival.placement), seed=build.seed, progress=advance))
    assert fitted is not None
    held_out = pooled_people([split.held_out for split in splits])
    points: Sequence[Point] = ()
    if curve:
        points = learning_curve(material, vectors, splits[-1], build, placement, asked(placement), judged[BLEND][-1], report)
    blend = pooled(judged[BLEND], held_out.people, build.seed)
    variants = {name: pooled(windows, held_out.people, build.seed) for name, windows in judged.items() if name != BLEND}
    lacking = {name: pooled(windows, held_out.people, build.seed) for name, windows in without.items()}
    comparison = Comparison(held_out, {**variants, BLEND: blend})
    shorter = None
    if less_known:
        shorter = cold_start(engine, splits[-1].held_out, asked(placement), comparison.best_part, report, seed=build.seed)
    return Evaluation(
        material,
        build,
        placement,
        windows,
        comparison,
        fitted.learnt,
        ablation=Comparison(held_out, {BLEND: blend, **lacking}) if ablate else None,
        rival=rival,
        compared=None if rival is None else Comparison(held_out, {BLEND: blend, OTHER: pooled(others, held_out.people, build.seed)}),
        learning_curve=points,
        cold_start=shorter,
        segments=segments or {},
        warnings=warnings,
    )


def _add(lists: dict[str, list[Judgement]], judgements: Mapping[str, Judgement]) -> None:
    for name, judgement in judgements.items():
        lists.setdefault(name, []).append(judgement)


def _embedding(build: BuildSettings) -> tuple[object, ...]:
    """All settings that the vectors and their index depend on."""
    return build.embedder, build.embed_precision, build.content.exact_limit, build.seed


def _vectors(material: Material, build: BuildSettings, cache: Path, report: Reporter) -> tuple[VectorIndex, Flags]:
    with report.stage("embed") as advance:
        embedded = embed_items(material.items, lambda: find_embedder(build.embedder, build.embed_precision), cache, progress=advance)
        return embedded.indexed(build), embedded.has_vector


def _ablated(engine: Recommender, held_out: HeldOut, placement: Placement, seed: int, report: Reporter, stage: str) -> dict[str, Judgement]:
    """The blend without each source, by name of the source."""
    made = {}
    with report.stage(stage) as advance:
        for place, source in enumerate(SourceName):
            rest = frozenset(SourceName) - {source}
            made[source.key] = judge(engine, held_out, placement, variant=f"without {source.key}", sources=rest, seed=seed)
            advance(place + 1, len(SourceName))
    return made


def _window(material: Material, split: Split, fitted: Fitted, placement: Placement) -> Window:
    blend = fitted.contents.blend
    ranked = placement.ranker_depth if blend is not None and blend.trees is not None and placement.blend == "learned" else 0
    rows = material.catalogue.rows_of(split.training.item)
    counts = np.bincount(rows[rows >= 0], minlength=material.catalogue.n)
    return Window(split.name, split.held_out, len(split.training), counts, split.dropped, split.excluded, ranked)
