"""Comparing what was found with what stood before, on a cut that the search never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.tuning.blender import Blender
from eval.tuning.folds import Cut, Fold
from eval.tuning.refitting import FOR_ALL
from eval.tuning.search import Found
from eval.tuning.space import with_values
from eval.tuning.yardstick import Check, judged, worst_change
from recommender.engine import Recommender
from recommender.generation import Contents
from recommender.judging import Interval, bootstrap_mean, paired_difference
from recommender.placements import Placement
from recommender.profile import BuildSettings

TRIED, DECIDED = 0, 1
"""On one half of the people each source shows whether its settings may stay; on the other the whole is decided."""


@dataclass(frozen=True)
class Figures:
    """The blend's NDCG@10 over the `people` of one cut, before and after, and the paired difference."""

    cut: str
    people: int
    before: Interval
    after: Interval
    difference: Interval


@dataclass(frozen=True)
class Confirmation:
    """`settings`: what is recommended, which is what stood before unless `better`. `changes`: by part, that of the source's worst cut.

    `dropped`: parts whose settings did not hold. `figures`: by cut, empty where nothing was left to compare.
    """

    settings: BuildSettings
    better: bool
    changes: dict[str, float]
    dropped: tuple[str, ...]
    figures: tuple[Figures, ...]


def confirm(fold: Fold, present: BuildSettings, found: Sequence[Found], placement: Placement, *, seed: int, check: Check) -> Confirmation:
    """Compare `present` with the values `found`, on the fresh `fold`.

    Values of a source stay only where it does better by them alone, on every cut; what stays is recommended only where the blend does
    better on some cut and worse on none: what goes by behaviour can change nothing among new items. Raises what `check`, which is
    called between steps, raises.
    """
    tuned = [one for one in found if one.values]
    wanted = _with(present, tuned)
    before = fold.learning.contents(present)
    check()
    after = fold.learning.brought(before, present, wanted)
    changes = {
        one.part.name: _change(fold.cuts_for(one.part), before, present, after, wanted, placement, one.part.variant, check)
        for one in tuned
        if one.part.variant != "blend"
    }
    dropped = tuple(name for name, change in changes.items() if change <= 0)
    kept = [one for one in tuned if one.part.name not in dropped]
    if not kept:
        return Confirmation(present, False, changes, dropped, ())
    settings = _with(present, kept)
    check()
    after = fold.learning.brought(after, wanted, settings)
    check()
    blender = Blender.of(fold.learning, present, placement, check=check)
    check()
    old = _blended(before, blender, present)
    check()
    if blender is None or any(getattr(present, name) != getattr(settings, name) for name in FOR_ALL):
        # The weights of events decide who is held out for what.
        blender = Blender.of(fold.learning, settings, placement, check=check)
    else:
        blender = blender.brought(settings, check=check)
    check()
    new = _blended(after, blender, settings)
    ours = judged(Recommender.unpublished(new, settings), fold.cuts, DECIDED, placement, "blend", check)
    theirs = judged(Recommender.unpublished(old, present), fold.cuts, DECIDED, placement, "blend", check)
    figures = []
    for cut, our, their in zip(fold.cuts, ours, theirs, strict=True):
        held_out = cut.halves[DECIDED]
        people = held_out.people
        old_mean, new_mean = (bootstrap_mean(values, np.random.default_rng(seed), people=people) for values in (their, our))
        difference = paired_difference(our, their, np.random.default_rng(seed), people=people)
        figures.append(Figures(cut.name, len(held_out), old_mean, new_mean, difference))
    better = worst_change(ours, theirs) >= 0 and any(one.difference.mean > 0 for one in figures)
    return Confirmation(settings if better else present, better, changes, dropped, tuple(figures))


def _with(settings: BuildSettings, found: Sequence[Found]) -> BuildSettings:
    return with_values(settings, {path: value for one in found for path, value in one.values.items()})


def _change(
    cuts: Sequence[Cut],
    before: Contents,
    present: BuildSettings,
    after: Contents,
    wanted: BuildSettings,
    placement: Placement,
    variant: str,
    check: Check,
) -> float:
    ours, theirs = (
        judged(Recommender.unpublished(contents, settings), cuts, TRIED, placement, variant, check)
        for contents, settings in ((after, wanted), (before, present))
    )
    # Where the fresh cut has nobody to judge a source by, nothing speaks for its new settings.
    return worst_change(ours, theirs) if cuts else 0.0


def _blended(contents: Contents, blender: Blender | None, settings: BuildSettings) -> Contents:
    return replace(contents, blend=None if blender is None else blender.blend(settings))
