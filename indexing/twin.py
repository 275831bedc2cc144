"""The twin: the same fit on events up to a cut, judged on those after it, so that what judges has not seen what is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from indexing.blending.blending import Learnt, blend_of_cuts, gather_drawn
from indexing.fitting import Fitted, fit
from indexing.learn.sequence import settings_of_parts
from indexing.progress import Part, untold, within
from indexing.standing import Standing
from recommender.engine import Recommender
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation import Metric
from recommender.generation.catalogue import Catalogue
from recommender.judging import HeldOut, Interval, cut_at_share, hold_out, judge, paired_difference
from recommender.judging.comparison import LEADING, Comparison, compare
from recommender.judging.coverage import coverage_difference
from recommender.judging.cuts import SPARE, of_later_people
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.sequence_model import SequenceModel
from recommender.times import from_micros
from recommender.vectors import VectorIndex

SHOWN = 10
"""Leading items of a feed that count as shown."""


@dataclass(frozen=True, eq=False)
class TwinReport:
    """What the twin showed. `comparison` is None where too few people could be judged, and `why_not` says so.

    `at_cut`: the blend beside popularity where nothing after the cut is revealed, so that many people have no history or an
    old one; None where nobody could be judged so.

    `over_parent`: paired difference of the leading metric between these settings and the parent's, fitted to the same cut;
    None where there is no parent or its settings are the same. `coverage_over_parent`: likewise, the share of all items that stood
    among anybody's first ten.

    `learnt`: the blend for what is published, learnt on the twin's sources and the events after the cut; None where there was
    too little to learn one from. `judged_with`: the blend that the twin was judged with. `sequence`: the twin's sequence model, for what is
    published to start from; None where nothing was judged.
    """

    description: str
    comparison: Comparison | None
    why_not: str
    over_parent: Interval | None
    at_cut: Comparison | None = None
    learnt: Learnt | None = None
    judged_with: Learnt | None = None
    sequence: SequenceModel | None = None
    coverage_over_parent: Interval | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All figures as they stand in the manifest."""
        named = {"": self.comparison, "at-cut/": self.at_cut}
        return tuple(
            Metric(name=f"{prefix}{variant}/{metric}", mean=interval.mean, low=interval.low, high=interval.high)
            for prefix, comparison in named.items()
            if comparison is not None
            for variant, judgement in comparison.judgements.items()
            for metric, interval in judgement.intervals.items()
        )


def sampled(held_out: HeldOut, most: int, *, seed: int) -> HeldOut:
    """At most `most` of the held-out people, drawn without replacement."""
    if len(held_out) <= most:
        return held_out
    return held_out.chosen(np.sort(np.random.default_rng(seed).choice(len(held_out), most, replace=False)))


def fit_twin(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: np.ndarray[tuple[int], np.dtype[np.bool_]],
    events: EventTable,
    settings: BuildSettings,
    placement: Placement,
    cut: int,
    part: Part = untold,
) -> Fitted:
    """What would have been built at `cut` (µs), its blend learnt on a cut inside what came before; of what is learnt from all `events`,
    nothing is missing in it because it has fewer."""
    return fit(catalogue, vectors, has_vector, events.before(cut), settings_of_parts(events, catalogue, settings), placement, part=part)


def judge_twin(
    catalogue: Catalogue,
    vectors: VectorIndex,
    has_vector: np.ndarray[tuple[int], np.dtype[np.bool_]],
    events: EventTable,
    settings: BuildSettings,
    placement: Placement,
    *,
    parent: BuildSettings | None,
    on_sequence: Callable[[SequenceModel], None] = lambda model: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    part: Part = untold,
) -> TwinReport:
    """Fit the twin and judge every variant of it; where the parent's settings differ, fit and judge those on equal terms.

    `on_sequence` gets the twin's sequence model before judging begins, for what starts from it. `part` is told of each learner and
    judgement.
    """
    judging = settings.judging
    cut = cut_at_share(events, 1 - judging.share)
    some = of_later_people(events, cut, SPARE * judging.people, seed=settings.seed)
    held_as = partial(hold_out, weights=settings.event_weights, cut=cut, repeats=placement.repeat == "allowed")
    held_out = sampled(held_as(some, reveal=judging.reveal), judging.people, seed=settings.seed)
    if len(held_out) < judging.fewest:
        why_not = f"{len(held_out)} people took up something new in the last {judging.share:.0%} of events, {judging.fewest} are needed"
        return TwinReport(f"not judged: {why_not}", None, why_not, None)
    if not len(Standing.of(events.before(cut).consenting(Consent.TRAIN), catalogue, settings).item):
        why_not = f"no event to learn from lies before {from_micros(cut):%Y-%m-%d %H:%M} UTC, where the newest {judging.share:.0%} begin"
        return TwinReport(f"not judged: {why_not}", None, why_not, None)
    fitted = fit_twin(catalogue, vectors, has_vector, events, settings, placement, cut, part)
    on_sequence(fitted.contents.sequence)
    twin = Recommender.unpublished(fitted.contents, settings)
    with part("judgement"):
        comparison = compare(twin, held_out, placement, seed=settings.seed, progress=progress)
    over_parent = coverage_over_parent = None
    if parent is not None and parent.hash != settings.hash:
        rival = Recommender.unpublished(
            fit_twin(catalogue, vectors, has_vector, events, parent, placement, cut, within(part, "parent")).contents, parent
        )
        theirs = judge(rival, held_out, placement, seed=settings.seed)
        over_parent = paired_difference(
            comparison.judgements["blend"].values[LEADING], theirs.values[LEADING], np.random.default_rng(settings.seed)
        )
        coverage_over_parent = coverage_difference(
            comparison.judgements["blend"].lists[:, :SHOWN], theirs.lists[:, :SHOWN], catalogue.n, np.random.default_rng(settings.seed)
        )
    nothing_revealed = sampled(held_as(some), judging.people, seed=settings.seed)
    at_cut = None
    if len(nothing_revealed):
        with part("judgement at the cut"):
            at_cut = compare(twin, nothing_revealed, placement, variants=("popularity", "blend"), seed=settings.seed)
    trainable = some.consenting(Consent.TRAIN)
    parts = [held_as(trainable, reveal=reveal) for reveal in settings.blending.reveals]
    decays = fitted.decays
    with part("newest samples"):
        newest = gather_drawn(twin, [held for held in parts if len(held)], placement, settings.blending, seed=settings.seed, decays=decays)
    # What the twin's own blend was learnt from teaches as well, and alone says how new items are to be ranked.
    with part("newest blend"):
        learnt = blend_of_cuts([newest, *fitted.samples], settings.blending, seed=settings.seed, decays=decays)
    description = (
        f"a twin fitted on events before {from_micros(cut):%Y-%m-%d %H:%M} UTC, judged on {len(held_out)} people's new items after it, the "
        f"first {judging.reveal:.0%} of each person's later events counting as history, whole catalogue ranked, placement {placement.name} "
        f"({placement.version})"
    )
    return TwinReport(
        description,
        comparison,
        "",
        over_parent,
        at_cut,
        learnt,
        fitted.learnt,
        fitted.contents.sequence,
        coverage_over_parent,
    )
