"""Slates side by side: what each kind of variety, what was passed over, and trials cost in relevance, and what they buy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from eval.tuning.training_part import TrainingPart, of_store
from indexing.progress import Reporter, Stage, within
from indexing.twin import fit_twin, sampled
from recommender.composing.variety import Exploration, Impressions, Variety
from recommender.engine import Recommender
from recommender.judging import HeldOut, Interval, Judgement, cut_at_share, hold_out, judge, paired_difference
from recommender.judging.cuts import SPARE, of_later_people
from recommender.people import SEEN_DTYPE, Seen
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.settings import Settings

SHOWN = 10
"""Leading items of a feed that count as shown."""
MEASURED = ("diversity@10", "age_days@10", "novelty@10")
EVERYBODYS = ("coverage@10", "gini@10")
AS_RANKED = "as ranked"


@dataclass(frozen=True)
class Way:
    """One way to compose. `again`: whether readers come back, having passed over what they were shown first."""

    name: str
    placement: Placement
    again: bool = False


@dataclass(frozen=True)
class Row:
    """What one way came to. `ndcg` and `lead`, over the ranking as it stands, with 95 % intervals; `near_duplicates`: share of the first
    ten that tell what one above them does; `renewed`: share of the first ten that were not among them one answer ago; `uncertain`: share of
    the first ten that count as uncertain; the others are figures of lists by name."""

    name: str
    ndcg: Interval
    lead: Interval
    figures: Mapping[str, float]
    near_duplicates: float
    renewed: float
    uncertain: float


@dataclass(frozen=True)
class Slates:
    """All rows, and what they are of."""

    description: str
    people: int
    items: int
    rows: Sequence[Row]


def ways(placement: Placement) -> Iterator[Way]:
    """The ranking as it stands, then each of the means by itself, weak and strong, and the placement as it is."""
    nothing = {
        "variety": Variety(near_duplicates="allow"),
        "impressions": Impressions(discount=0),
        "exploration": Exploration(share=0),
        "rules": (),
    }
    bare = placement.model_copy(update=nothing)

    def varied(**more: object) -> Placement:
        return bare.model_copy(update={"variety": Variety.model_validate({"near_duplicates": "allow", **more})})

    yield Way(AS_RANKED, bare)
    yield Way("near-duplicates collapsed", varied(near_duplicates="collapse"))
    for strength in (0.1, 0.2, 0.3, 0.5, 0.8):
        yield Way(f"variety {strength:g}", varied(strength=strength))
    for rotation in (0.05, 0.1, 0.2, 0.5):
        yield Way(f"rotation {rotation:g}", varied(rotation=rotation))
    for discount in (0.1, 0.2, 0.5):
        yield Way(f"impressions {discount:g}", bare.model_copy(update={"impressions": Impressions(discount=discount)}), again=True)
    for share in (0.05, 0.1, 0.2):
        yield Way(f"exploration {share:g}", bare.model_copy(update={"exploration": Exploration(share=share)}))
    yield Way("the placement as it is", placement.model_copy(update={"rules": ()}), again=True)


def measure_slates(deployment: Settings, settings: BuildSettings, placement: Placement, report: Reporter, *, people: int) -> Slates:
    """Fit a twin on what lies before the newest share of the events, as a night does, and judge every way on at most `people` after it.

    Raises `InvalidInput` where there are no events, and `RecommenderError` where nobody took up anything new.
    """
    part = of_store(deployment, settings, report)
    cut = cut_at_share(part.events, 1 - settings.judging.share)
    with report.stage("fit a twin") as advance:
        contents = fit_twin(
            part.catalogue, part.vectors, part.has_vector, part.events, settings, placement, cut, within(report.part, "twin")
        ).contents
        advance(1, 1)
    told = contents.stories if len(contents.stories) else np.full(part.catalogue.n, -1, dtype=np.int32)
    twin = Recommender.unpublished(contents, settings)
    held_out = _held_out(part, settings, cut, people)
    with report.stage("judge") as advance:
        rows = list(_rows(twin, held_out, list(ways(placement)), told, settings.seed, advance))
    description = f"{part.description}; judged on {len(held_out)} people's new items after the twin's cut"
    return Slates(description, len(held_out), part.catalogue.n, rows)


def _held_out(part: TrainingPart, settings: BuildSettings, cut: int, people: int) -> HeldOut:
    some = of_later_people(part.events, cut, SPARE * people, seed=settings.seed)
    held_as = partial(hold_out, weights=settings.event_weights, cut=cut)
    return sampled(held_as(some, reveal=settings.judging.reveal), people, seed=settings.seed)


def _rows(
    twin: Recommender, held_out: HeldOut, compared: Sequence[Way], told: npt.NDArray[np.int32], seed: int, advance: Stage
) -> Iterator[Row]:
    plain: Judgement | None = None
    for done, way in enumerate(compared, 1):
        judged = partial(judge, twin, held_out, way.placement, lists=True)
        first = judged(seed=seed)
        plain = plain or first
        # Whoever comes back has seen the first ten, and took up none of them.
        passed_over = _seen(twin, plain.lists[:, :SHOWN], held_out.cut) if way.again else None
        second = judged(seed=seed + 1, seen=passed_over)
        measured = second if way.again else first
        before = (plain if way.again else first).lists[:, :SHOWN]
        ndcg = "ndcg@10"
        yield Row(
            way.name,
            measured.intervals[ndcg],
            paired_difference(measured.values[ndcg], plain.values[ndcg], np.random.default_rng(seed), people=held_out.people),
            {
                **{name: float(np.nanmean(measured.values[name])) for name in MEASURED if not np.isnan(measured.values[name]).all()},
                **{name: measured.overall[name] for name in EVERYBODYS if name in measured.overall},
            },
            _repeated(measured.lists[:, :SHOWN], told),
            _renewed(before, second.lists[:, :SHOWN]),
            _share_of_uncertain(twin, measured.lists[:, :SHOWN], way.placement),
        )
        advance(done, len(compared))


def _seen(twin: Recommender, lists: npt.NDArray[np.int32], at: int) -> list[Seen]:
    """Each list as seen once, at a moment, µs."""
    made = []
    for rows in lists:
        there = rows[rows >= 0]
        seen = np.zeros(len(there), dtype=SEEN_DTYPE)
        seen["item"], seen["count"], seen["at"] = twin.catalogue.numbers_at(there), 1, at
        made.append(seen)
    return made


def _repeated(lists: npt.NDArray[np.int32], told: npt.NDArray[np.int32]) -> float:
    """The share of listed items that tell what one before them does."""
    repeated = listed = 0
    for rows in lists:
        of = told[rows[rows >= 0]]
        known = of[of >= 0]
        repeated += len(known) - len(np.unique(known))
        listed += len(of)
    return repeated / max(listed, 1)


def _renewed(before: npt.NDArray[np.int32], after: npt.NDArray[np.int32]) -> float:
    """The share of the items of each list that its list `before` did not hold, over all."""
    new = [np.isin(now[now >= 0], old, invert=True).mean() for old, now in zip(before, after, strict=True) if (now >= 0).any()]
    return float(np.mean(new)) if new else 0.0


def _share_of_uncertain(twin: Recommender, lists: npt.NDArray[np.int32], placement: Placement) -> float:
    """The share of listed items that count as uncertain."""
    listed = lists[lists >= 0]
    return float((twin.facts.popularity[listed] < placement.exploration.uncertain_below).mean()) if len(listed) else 0.0
