"""The learning curve: would more people's events make it better?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.material import Material
from indexing.fitting import fit
from indexing.progress import Reporter
from recommender.engine import Recommender
from recommender.errors import InvalidInput
from recommender.judging import Judgement, judge
from recommender.judging.cuts import Split
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.vectors import VectorIndex

SHARES = (0.25, 0.5, 1.0)
"""Of the people in training, drawn at random, the smaller parts inside the larger ones."""


@dataclass(frozen=True, eq=False)
class Point:
    """The blend learnt from `share` of the people: from `events` events of `people` people, judged on everybody held out."""

    share: float
    people: int
    events: int
    judgement: Judgement


def learning_curve(
    material: Material,
    vectors: tuple[VectorIndex, npt.NDArray[np.bool_]],
    split: Split,
    build: BuildSettings,
    placement: Placement,
    asked: Placement,
    whole: Judgement,
    report: Reporter,
) -> list[Point]:
    """Fit on the events of each of `SHARES` of the people, for `placement`, and judge the blend as `asked`; `whole` is its judgement after
    learning from all.

    Whole people are left out, so that what is learnt from one person stays as long as it is; whoever is judged keeps the whole history.
    Raises `InvalidInput` where a part of the people is nobody.
    """
    people = np.random.default_rng(build.seed).permutation(np.unique(split.training.person))
    points = []
    for share in SHARES:
        part = people[: round(share * len(people))]
        if not len(part):
            raise InvalidInput("--learning-curve", f"{len(people)} people to learn from", f"so many that {share:.0%} of them are somebody")
        training = split.training.where(np.isin(split.training.person, part))
        judgement = whole
        if share < 1:
            with report.stage(f"learn from {share:.0%}") as advance:
                fitted = fit(material.catalogue, *vectors, training, build, placement, progress=advance)
            with report.stage(f"judge after {share:.0%}") as advance:
                engine = Recommender.unpublished(fitted.contents, build)
                judgement = judge(engine, split.held_out, asked, seed=build.seed, progress=advance)
        points.append(Point(share, len(part), len(training), judgement))
    return points
