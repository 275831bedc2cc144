"""Tuning build settings: part by part on one cut of the training events, then compared as a whole on a fresh one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from eval.tuning.blender import Blender
from eval.tuning.budget import Budget, OutOfTime
from eval.tuning.confirmation import Confirmation, confirm
from eval.tuning.folds import Fold, folds_of
from eval.tuning.refitting import LEARNERS, changes_fit
from eval.tuning.search import Found, present_values, search
from eval.tuning.space import PARTS, Part, with_values
from eval.tuning.studies import Studies, open_studies
from eval.tuning.training_part import TrainingPart
from eval.tuning.yardstick import Yardstick, judged
from indexing.pace import paced
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.events import Consent
from recommender.generation import Contents
from recommender.placements import Placement
from recommender.profile import BuildSettings

MOST_KEPT = 0.6
"""Share of the time that is kept for the comparison at the most."""


@dataclass(frozen=True)
class Search:
    """How to search. `parts`: in the order of `PARTS`. `trials`: for each part, without a number as many as the time allows.

    `people`: judged at the most in each cut and half. `study`: SQLite file that a tuning goes on in, None to keep nothing.
    """

    parts: tuple[Part, ...] = tuple(part for part in PARTS if part.by_default)
    minutes: float = 30.0
    trials: int | None = None
    people: int = 1_000
    seed: int = 0
    study: Path | None = None
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise InvalidInput("only", "no part", "at least one part")
        if self.trials is not None and self.trials < 1:
            raise InvalidInput("trials", self.trials, "1 or more")
        if self.people < 2:
            raise InvalidInput("people", self.people, "2 or more")


@dataclass(frozen=True)
class Tuned:
    """What came of a tuning. `settings`: recommended, the `present` ones unless a fresh cut showed others to be better.

    `searched` and `fresh`: what the cuts were. `confirmation`: None where nothing better was found or the time ran out, as `verdict` says.
    """

    settings: BuildSettings
    present: BuildSettings
    found: tuple[Found, ...]
    searched: str
    fresh: str
    confirmation: Confirmation | None
    verdict: str


def tune(data: TrainingPart, present: BuildSettings, placement: Placement, how: Search, report: Reporter) -> Tuned:
    """Search `how.parts` one after the other, then the whole is compared with `present` on a cut that the search has not seen.

    Nothing but `data` is looked at. The time is kept but for the step that is on when it ends: one fit, or one half of the people of
    one cut. With a number of trials and time enough, the same data, settings and seed give the same answer. Raises `InvalidInput` for
    minutes or data that do not do, and `Locked` while another tuning uses the study.
    """
    budget = Budget.of(how.minutes, how.clock)
    # What a build would read off the data, the search goes on from as numbers.
    start = paced(data.events.consenting(Consent.TRAIN), data.catalogue, present)
    with open_studies(how.study) as studies:
        searched, fresh = folds_of(data, start, people=2 * how.people, seed=how.seed)
        found, confirmation = _run(data, start, placement, how, report, studies, searched, fresh, budget)
    settings = confirmation.settings if confirmation is not None and confirmation.better else present
    return Tuned(settings, present, found, searched.description, fresh.description, confirmation, _verdict(found, confirmation))


def _run(
    data: TrainingPart,
    present: BuildSettings,
    placement: Placement,
    how: Search,
    report: Reporter,
    studies: Studies,
    searched: Fold,
    fresh: Fold,
    budget: Budget,
) -> tuple[tuple[Found, ...], Confirmation | None]:
    began = budget.left
    with report.stage("learn"):
        learnt = searched.learning.contents(present)
    fitting = began - budget.left
    found: list[Found] = []
    try:
        judged(Recommender.unpublished(learnt, present), searched.cuts, 0, placement, "blend", budget.check)
    except OutOfTime:
        return tuple(Found(part, {}, why="time ran out") for part in how.parts), None
    judging = began - budget.left - fitting
    # Two fits and the inner ones of each, a blend learnt for both, and every source judged before and after.
    needed = 2 * (1 + present.blending.cuts) * fitting + (8 + 2 * len(how.parts)) * judging
    searching = budget.keeping(min(needed, MOST_KEPT * 60 * how.minutes))
    tuner = _Tuner(data, present, placement, how, studies, searched, learnt)
    for place, part in enumerate(how.parts):
        with report.stage(f"tune {part.name}") as advance:
            try:
                searching.check()
                slot = searching.share(len(how.parts) - place)
                found.append(tuner.part(part, tuple(found), slot, searching, advance))
            except OutOfTime:
                found.append(Found(part, {}, why="time ran out"))
    if not any(one.values for one in found):
        return tuple(found), None
    with report.stage("compare on a fresh cut"):
        try:
            budget.check()
            return tuple(found), confirm(fresh, present, found, placement, seed=how.seed, check=budget.check)
        except OutOfTime:
            return tuple(found), None


def _verdict(found: tuple[Found, ...], confirmation: Confirmation | None) -> str:
    if not any(one.values for one in found):
        return "nothing better was found; the settings stay as they were"
    if confirmation is None:
        return "the time ran out before what was found was compared on a fresh cut; the settings stay as they were"
    if not confirmation.better:
        return "what was found did not do better on a fresh cut; the settings stay as they were"
    if confirmation.dropped:
        return f"better on a fresh cut, without {', '.join(confirmation.dropped)}, which did no better there"
    return "better on a fresh cut"


@dataclass(frozen=True, eq=False)
class _Tuner:
    """Tunes parts of the present settings, with which `learnt` was learnt on the fold that is searched."""

    data: TrainingPart
    present: BuildSettings
    placement: Placement
    how: Search
    studies: Studies
    fold: Fold
    learnt: Contents

    def part(
        self, part: Part, found: tuple[Found, ...], slot: Budget, budget: Budget, progress: Callable[[int, int | None], None]
    ) -> Found:
        """Search one part, on top of the parts found before that it builds on. Raises `OutOfTime` where it cannot begin."""
        ranges = part.ranges_on(self.data.order, self.data.types)
        if not ranges:
            return Found(part, {}, why="changes nothing on data of this kind")
        cuts = self.fold.cuts_for(part)
        if not cuts:
            return Found(part, {}, why="too few people to judge it by")
        values = {path: value for one in found if one.part.name in part.builds_on for path, value in one.values.items()}
        start = with_values(self.present, values)
        base = self.fold.learning.brought(self.learnt, self.present, start)
        budget.check()
        contents: Callable[[BuildSettings], Contents]
        if part.name == "blending":
            blender = Blender.of(self.fold.learning, start, self.placement, check=budget.check)
            budget.check()
            blend = None if blender is None else blender.blend(start)
            budget.check()
            if blender is None or blend is None:
                return Found(part, {}, why="too few people to learn a blend from")
            base = replace(base, blend=blend)
            contents = _blending(base, blender)
        elif part.name == "events":
            contents = self.fold.learning.contents
        else:
            if not has_say(part, base):
                return Found(part, {}, why="the source has nothing to say on this data")
            contents = _learning(self.fold, base, start, part)
        yardstick = Yardstick.of(Recommender.unpublished(base, start), cuts, self.placement, part.variant, budget.check)
        study = self.studies.of(part, ranges, self._conditions(start), present_values(start, ranges))
        return search(
            study,
            part,
            ranges,
            start,
            contents,
            yardstick,
            trials=self.how.trials,
            seed=self.how.seed,
            slot=slot,
            budget=budget,
            progress=progress,
        )

    def _conditions(self, start: BuildSettings) -> Mapping[str, object]:
        """What the figures of a trial depend on besides the tried values."""
        return {
            "data": self.data.fingerprint,
            "start": start.hash,
            "placement": self.placement.version,
            "people": self.how.people,
            "seed": self.how.seed,
        }


def has_say(part: Part, contents: Contents) -> bool:
    """Whether the source of a part can say anything with these contents; without, what is popular fills its lists, whatever is tuned."""
    match part.name:
        case "content":
            return bool(contents.has_vector.any())
        case "collaborative":
            return bool(contents.factors.any())
        case "graph":
            return bool(contents.graph.vectors.shape[1] > 0)
        case "sequence":
            return bool(contents.sequence.known.any())
        case "popular":
            return bool(contents.popularity.any())
        case "item_item" | "co_occurrence" | "transitions" | "transfer":
            return bool(getattr(contents, part.name).lows.size > 0)
    return True


def _blending(base: Contents, blender: Blender) -> Callable[[BuildSettings], Contents]:
    return lambda settings: replace(base, blend=blender.blend(settings))


def _learning(fold: Fold, base: Contents, start: BuildSettings, part: Part) -> Callable[[BuildSettings], Contents]:
    section = _section(part)

    def contents(settings: BuildSettings) -> Contents:
        # A history's decay changes no fit.
        if section in LEARNERS and changes_fit(section, start, settings):
            return fold.learning.refitted(base, section, settings)
        return base

    return contents


def _section(part: Part) -> str:
    """The section of the settings that a source's part is about."""
    return next(iter(part.ranges)).partition(".")[0]
